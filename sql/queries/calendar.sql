-- Detectors out of service, engineering time and downtime.

-- name: entries
-- row: Entry
-- nullable: first, last, ends
-- Those of a site that hold at some time from `first` until `last`, the earliest first; null: without bound.
select entry_id, kind, site, instrument, detector, begins, end_of_entry(c) as ends, reason, announced, operator,
    entered_at, ended_by, end_reason
from calendar c
where site = :site and withdrawn_at is null
    and (:first::timestamptz is null or coalesce(end_of_entry(c), 'infinity') > :first::timestamptz)
    and (:last::timestamptz is null or begins < :last::timestamptz)
    and end_of_entry(c) is distinct from begins
order by begins, entry_id;

-- name: entry^
-- row: Entry
-- nullable: ends
select entry_id, kind, site, instrument, detector, begins, end_of_entry(c) as ends, reason, announced, operator,
    entered_at, ended_by, end_reason
from calendar c where site = :site and entry_id = :entry_id and withdrawn_at is null;

-- name: in_force
-- row: EntryInForce
-- nullable: detector
-- What holds for an instrument at a moment.
select entry_id, kind, detector, reason from calendar_at(:site, :instrument, :moment) order by entry_id;

-- name: put_entry$
-- nullable: instrument, detector, ends
-- By a person.
insert into calendar (kind, site, instrument, detector, begins, ends, reason, announced, operator)
values (:kind::calendar_kind, :site, :instrument, :detector, :begins, :ends, :reason, :announced, :operator)
returning entry_id;

-- name: put_settings_entry!
-- nullable: instrument, detector, ends
-- Of calendar.toml. That a person ended it stays.
insert into calendar (kind, site, instrument, detector, begins, ends, reason, announced, settings_key)
values (:kind::calendar_kind, :site, :instrument, :detector, :begins, :ends, :reason, :announced, :settings_key)
on conflict (settings_key) do update set
    ends = excluded.ends, reason = excluded.reason, announced = excluded.announced, withdrawn_at = null
where (calendar.ends, calendar.reason, calendar.announced, calendar.withdrawn_at)
    is distinct from (excluded.ends, excluded.reason, excluded.announced, null);

-- name: withdraw_settings_entries!
-- What calendar.toml holds no more. What had ended by then stays as it was.
update calendar c set withdrawn_at = now()
where site = :site and settings_key is not null and settings_key <> all (:settings_keys::text[])
    and withdrawn_at is null and coalesce(end_of_entry(c), 'infinity') > :now;

-- name: end_entry!
-- An entry that has not begun holds for no moment then.
update calendar c set ended_early_at = greatest(:ends::timestamptz, begins), ended_by = :operator, end_reason = :reason
where site = :site and entry_id = :entry_id and withdrawn_at is null
    and coalesce(end_of_entry(c), 'infinity') > :ends;

-- name: mark_said!
-- Once an entry.
update calendar set said_at = now() where site = :site and entry_id = :entry_id and said_at is null;

-- name: expect_anew!
-- Exposures that are still waited for expect the detectors that are in service at their time.
update exposures e set detectors_expected = x.detectors
from (
    select e.instrument, e.exposure_id, array(
        select d.id from unnest(:detectors::smallint[]) as d (id)
        where not exists (select from calendar_at(e.site, e.instrument, e.shutter_open) c
            where c.kind = 'out_of_service' and (c.detector is null or c.detector = d.id))
        order by d.id) as detectors
    from exposures e where e.instrument = :instrument and e.state = 'arriving'
        and e.night >= first_open_night()) x
where e.instrument = x.instrument and e.exposure_id = x.exposure_id and e.detectors_expected <> x.detectors;
