-- What is told to people: troubles, who hears of them, messages and how they were delivered.

-- Events that were not read yet ------------------------------------------------------------------------------

-- name: unheard
-- row: UnheardEvent
-- In the order in which they were written. One whose month has left the ledger is gone with it.
select e.event_id, e.at, e.level, e.kind, e.subject, e.message
from unheard_events u join events e on e.event_id = u.event_id and e.at = u.at
order by u.event_id limit :most;

-- name: forget_unheard!
-- Those that were read, and those of months that have left.
delete from unheard_events u
where u.event_id <= :last and (u.event_id = any (:event_ids::bigint[])
    or not exists (select from events e where e.event_id = u.event_id and e.at = u.at));

-- Troubles ---------------------------------------------------------------------------------------------------

-- name: open_trouble^
-- row: Trouble
-- nullable: ended_at, end_message, acknowledged_at, acknowledged_by
-- The trouble that an event belongs to: of its kind and subject, not over, and not too long ago: an end may never have
-- been said.
select trouble_id, kind, subject, site, level, message, times, began_at, last_at, ended_at, end_message,
    acknowledged_at, acknowledged_by
from troubles
where kind = :kind and subject = :subject and ended_at is null
    and last_at > (:at)::timestamptz - make_interval(secs => :same_for_s)
order by trouble_id desc limit 1 for update;

-- name: put_trouble$
insert into troubles (kind, subject, site, level, message, began_at, last_at)
values (:kind, :subject, :site, :level::event_level, :message, :at, :at)
returning trouble_id;

-- name: count_again!
update troubles set times = times + 1, last_at = greatest(last_at, :at), level = greatest(level, :level::event_level),
    message = :message
where trouble_id = :trouble_id;

-- name: end_troubles
-- row: EndedTrouble
update troubles set ended_at = :at, end_message = :message
where kind = any (:kinds::text[]) and subject in (:subject, '') and ended_at is null
returning trouble_id;

-- name: waiting_troubles
-- row: Trouble
-- What nobody has acknowledged and is not over, the newest first.
select trouble_id, kind, subject, site, level, message, times, began_at, last_at, ended_at, end_message,
    acknowledged_at, acknowledged_by
from troubles
where acknowledged_at is null and ended_at is null and steady_age_s(last_at) < :same_for_s
order by trouble_id desc limit :most;

-- name: troubles_of
-- row: Trouble
-- What a message told of.
select trouble_id, kind, subject, site, level, message, times, began_at, last_at, ended_at, end_message,
    acknowledged_at, acknowledged_by
from troubles t where exists (select from hearings h where h.trouble_id = t.trouble_id and h.message_key = :message_key)
order by trouble_id;

-- name: acknowledge
-- row: Trouble
-- The troubles of a message that nobody has acknowledged.
update troubles t set acknowledged_at = clock_timestamp(), acknowledged_by = :operator
where t.acknowledged_at is null
    and exists (select from hearings h where h.trouble_id = t.trouble_id and h.message_key = :message_key)
returning trouble_id, kind, subject, site, level, message, times, began_at, last_at, ended_at, end_message,
    acknowledged_at, acknowledged_by;

-- Who hears --------------------------------------------------------------------------------------------------

-- name: put_hearing!
insert into hearings (trouble_id, person, channel, what, since, urgent, quiet_from, quiet_until)
values (:trouble_id, :person, :channel, :what, :since, :urgent, :quiet_from, :quiet_until)
on conflict do nothing;

-- name: put_ends!
-- Whoever heard, or is to hear, that a trouble began hears that it is over.
insert into hearings (trouble_id, person, channel, what, since, urgent, quiet_from, quiet_until)
select distinct on (trouble_id, person) trouble_id, person, channel, 'ended', (:since)::timestamptz, urgent, quiet_from,
    quiet_until
from hearings where trouble_id = :trouble_id and what in ('began', 'repeated')
order by trouble_id, person, what
on conflict do nothing;

-- name: to_be_said
-- row: ToBeSaid
-- nullable: quiet_from, quiet_until, ended_at, end_message
-- What people are to hear and was in no message yet.
select h.trouble_id, h.person, h.channel, h.what, h.since, h.urgent, h.quiet_from, h.quiet_until,
    t.kind, t.subject, t.site, t.level, t.message, t.times, t.began_at, t.ended_at, t.end_message
from hearings h join troubles t using (trouble_id)
where h.message_key is null
order by h.person, h.channel, t.level desc, t.trouble_id, h.what;

-- name: said_lately
-- row: SaidLately
-- Each message of late, with what it told of which kinds.
select distinct m.message_key, m.person, m.channel, m.made_at, t.kind, h.what
from messages m join hearings h using (message_key) join troubles t using (trouble_id)
where m.made_at > statement_timestamp() - make_interval(secs => :lately_s)
order by m.made_at;

-- name: unanswered
-- row: Unanswered
-- What somebody was called for and nobody has acknowledged, with whom it was told, and when last.
select t.trouble_id, t.kind, t.subject, t.site, t.level, max(h.since) as told_at,
    array_agg(distinct h.person) as people
from troubles t join hearings h using (trouble_id)
where t.level = 'page' and t.ended_at is null and t.acknowledged_at is null
    and steady_age_s(t.last_at) < :same_for_s
    and h.what in ('began', 'repeated')
group by t.trouble_id
having bool_and(h.message_key is not null)
order by t.trouble_id;

-- Messages ---------------------------------------------------------------------------------------------------

-- name: next_number$
select (coalesce(max(split_part(message_key, '-', 2)::integer), 0) + 1)::integer as number
from messages where starts_with(message_key, :day || '-');

-- name: put_message!
insert into messages (message_key, person, channel, title, body, made_at)
values (:message_key, :person, :channel, :title, :body, :made_at);

-- name: mark_said!
update hearings set message_key = :message_key
where trouble_id = :trouble_id and person = :person and channel = :channel and what = :what and message_key is null;

-- name: message^
-- row: Message
select message_key, person, channel, title, body, made_at from messages where message_key = :message_key;

-- name: latest_messages
-- row: MessageAtAGlance
select m.message_key, m.person, m.title, m.made_at,
    exists (select from deliveries d where d.message_key = m.message_key and d.state = 'told') as told,
    not exists (select from hearings h join troubles t using (trouble_id)
        where h.message_key = m.message_key and t.acknowledged_at is null) as acknowledged
from messages m order by m.made_at desc, m.message_key desc limit :most;

-- name: forget_old_troubles!
delete from troubles where coalesce(ended_at, last_at) < statement_timestamp() - make_interval(days => :older_than_days);

-- name: forget_old_messages!
delete from messages where made_at < statement_timestamp() - make_interval(days => :older_than_days);

-- Deliveries -------------------------------------------------------------------------------------------------

-- name: queue_delivery!
-- Also one that was passed on, when its turn comes again.
insert into deliveries (message_key, channel) values (:message_key, :channel)
on conflict (message_key, channel) do update set state = 'queued' where deliveries.state = 'passed_on';

-- name: queued
-- row: QueuedDelivery
-- nullable: tried_at
-- Oldest first, what calls somebody before the rest.
select d.message_key, d.channel, d.tries, d.tried_at, m.person, m.channel as first_channel, m.title, m.body, m.made_at
from deliveries d join messages m using (message_key)
where d.state = 'queued' order by m.made_at, d.message_key;

-- name: begin_try!
update deliveries set tries = tries + 1, tried_at = :now
where message_key = :message_key and channel = :channel and state = 'queued';

-- name: told!
update deliveries set state = 'told', told_at = :now, error = :error
where message_key = :message_key and channel = :channel;

-- name: not_told!
update deliveries set error = :error, state = case when :pass_on then 'passed_on' else state end
where message_key = :message_key and channel = :channel;

-- name: deliveries_of
-- row: Delivery
select channel, state, tries, tried_at, told_at, error
from deliveries where message_key = :message_key order by channel;

-- Channels ---------------------------------------------------------------------------------------------------

-- name: channel_failed$
-- How often in a row, this time included.
insert into failing_channels (channel, error) values (:channel, :error)
on conflict (channel) do update set failures = failing_channels.failures + 1, error = excluded.error
returning failures;

-- name: channel_said!
update failing_channels set said = true where channel = :channel and not said;

-- name: channel_works
-- row: FailedChannel
delete from failing_channels where channel = :channel
returning channel, since, failures, error, said;

-- name: failing_channels
-- row: FailedChannel
select channel, since, failures, error, said from failing_channels order by since;

-- The heartbeat ----------------------------------------------------------------------------------------------

-- name: nights_under_way
-- row: NightUnderWay
-- Of each site the nights that have begun and are not closed.
select site, night, ends, state from nights
where begins <= :now and state in ('open', 'closing') order by site, night;

-- name: looked_s$
-- nullable: looked_s
-- For how many seconds the inbox was not looked at.
select extract(epoch from clock_timestamp() - looked_at)::double precision as looked_s from watch;

-- name: last_said$
-- nullable: kind
-- Which of two kinds was said last of a subject.
select kind from events where subject = :subject and kind = any (:kinds::text[]) order by event_id desc limit 1;
