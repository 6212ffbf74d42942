-- What every part of the program asks of the ledger.

-- name: put_reason!
insert into reasons (reason, error_class, sentence)
values (:reason, :error_class::error_class, :sentence)
on conflict (reason) do update set error_class = excluded.error_class, sentence = excluded.sentence;

-- name: put_kind!
insert into kinds (kind, says, lasting) values (:kind, :says, :lasting)
on conflict (kind) do update set says = excluded.says, lasting = excluded.lasting;

-- name: put_measurement!
-- A new one gets the next position; a known one keeps its own.
insert into measurements (name, position, unit, says)
select :measurement, coalesce(max(position), 0) + 1, :unit, :says from measurements
on conflict (name) do update set unit = excluded.unit, says = excluded.says;

-- name: measurements
-- row: MeasurementPosition
select name, position from measurements order by position;

-- name: add_event!
insert into events (level, kind, message, subject, night_time, detail)
values (:level::event_level, :kind, :message, :subject, :night_time, :detail);

-- name: put_audit!
insert into audit (operator, action, subject, detail) values (:operator, :action, :subject, :detail);

-- name: events_since
-- row: Event
select event_id, at, night_time, level, kind, subject, message, detail
from events where event_id > :event_id order by event_id limit :most;

-- name: try_lock$
-- Held by the connection, beyond any transaction.
select pg_try_advisory_lock(hashtext('nightshift.' || :work), hashtext(:of)) as taken;

-- name: unlock$
select pg_advisory_unlock(hashtext('nightshift.' || :work), hashtext(:of)) as released;

-- name: event_said$
select exists (select from events where kind = :kind and subject = :subject) as said;

-- name: event_said_so$
select exists (select from events where subject = :subject and kind = :kind and message = :message) as said;

-- name: has_revision$
-- nullable: found
select to_regclass('alembic_version')::text as found;

-- name: revision$
-- nullable: version_num
select version_num from alembic_version order by version_num desc limit 1;

-- name: survey_stamp$
-- Whose ledger it is.
-- nullable: survey
select survey from survey_stamp;

-- name: put_survey_stamp!
insert into survey_stamp (survey) values (:survey) on conflict do nothing;

-- name: sites_of_nights
-- Whose nights a ledger from before it was stamped holds.
-- row: SiteWithNights
select distinct site from nights order by site;
