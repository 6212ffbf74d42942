-- How exposures and their units stand, for every kind of work on them.

-- name: exposure^
select * from exposures where instrument = :instrument and exposure_id = :exposure_id;

-- name: set_unit_running!
update units set state = 'running'
where unit_key = any (:unit_keys::text[]) and night = any (nights_of(:unit_keys::text[])) and state = 'pending';

-- name: lock_unended_unit^
-- row: UnendedUnit
-- A unit that is to be worked on or is being worked on; nobody else ends it until the transaction does.
select unit_key from units
where unit_key = :unit_key and night = night_of(:unit_key) and state in ('pending', 'running') for no key update;

-- name: end_unit!
update units set state = :state::unit_state, reason = :reason, detail = :detail, flags = :flags::text[],
    ended_at = now()
where unit_key = :unit_key and night = night_of(:unit_key) and state in ('pending', 'running');

-- name: return_unit!
update units set state = 'pending' where unit_key = :unit_key and night = night_of(:unit_key) and state = 'running';

-- name: end_exposure!
-- An exposure has ended when every unit of it has.
update exposures e set state = 'ended', ended_at = now()
where e.instrument = :instrument and e.exposure_id = :exposure_id and e.state <> 'ended'
    and not exists (select from units u where u.instrument = e.instrument and u.exposure_id = e.exposure_id
        and u.night = night_of(:instrument || '/' || :exposure_id) and u.state in ('pending', 'running'));

-- name: end_exposures_of_night!
-- Each exposure of a night of which no unit is waited for.
update exposures e set state = 'ended', ended_at = now()
where e.site = :site and e.night = :night and e.state <> 'ended'
    and not exists (select from units u where u.instrument = e.instrument and u.exposure_id = e.exposure_id
        and u.night = :night and u.state in ('pending', 'running'));

-- name: reopen_exposures!
update exposures e set state = 'arriving', ended_at = null
where e.instrument = :instrument and e.night = :night and e.state = 'ended'
    and exists (select from units u where u.instrument = e.instrument and u.exposure_id = e.exposure_id
        and u.night = :night and u.state = 'pending');

-- name: reopen_exposures_of_job!
-- Exposures of which a unit, or a frame of a calibration set, is to be worked on again.
update exposures e set state = 'running', ended_at = null
where e.state = 'ended' and (e.instrument, e.exposure_id) in (
    select u.instrument, u.exposure_id from units u join attempts a using (unit_key, night)
    where a.job_key = :job_key and a.night = any (nights_of_job(:job_key)) and u.night = any (nights_of_job(:job_key))
        and u.state = 'pending'
    union
    select f.instrument, f.exposure_id
    from attempts a join calibrations c on c.calibration_key = a.unit_key
    join calibration_frames f using (calibration_key)
    where a.job_key = :job_key and a.night = any (nights_of_job(:job_key)) and c.state = 'rejected'
        and c.reason = 'cancelled');

-- name: stand_as_before!
-- Quadrants that were to be reduced again and were not, one of them or all of a night: they stand as their last attempt
-- left them, which was made by one of some kinds of work.
-- nullable: unit_key, site, night
update units u set state = case last.state when 'succeeded' then 'processed' else 'rejected' end::unit_state,
    reason = last.reason, detail = last.detail, ended_at = now()
from (
    select distinct on (a.unit_key) a.unit_key, a.state, a.reason, a.detail
    from reduced_without_master w join attempts a using (unit_key, night) join jobs j using (job_key)
    where a.night >= first_open_night() and j.kind = any (:kinds::text[]) and a.state in ('succeeded', 'rejected')
        and (w.unit_key = :unit_key::text or (w.site = :site::text and w.night = :night::date))
    order by a.unit_key, a.created_at desc, a.attempt desc) last
where u.unit_key = last.unit_key and u.night >= first_open_night() and u.state in ('pending', 'running');
