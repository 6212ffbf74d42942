-- What the live view of a night shows.

-- name: glance^
-- row: NightCounts
-- nullable: mail_sent_at
select
    n.state as night_state,
    (select count(*) from arrivals a where a.site = n.site and a.night = n.night) as arrived,
    (select count(*) from arrivals a
        where a.site = n.site and a.night = n.night and a.disposition = 'registered') as registered,
    (select count(*) from arrivals a
        where a.site = n.site and a.night = n.night and a.disposition = 'quarantined') as quarantined,
    (select count(*) from arrivals a
        where a.site = n.site and a.night = n.night and a.disposition in ('duplicate', 'conflicting')) as repeated,
    (select count(*) from calibrations c where c.night = n.night and c.state = 'in_service'
        and c.instrument in (select e.instrument from exposures e where e.site = n.site and e.night = n.night)
    ) as masters,
    (select count(*) from reference_images r where r.state = 'in_service'
        and r.instrument in (select e.instrument from exposures e where e.site = n.site and e.night = n.night)
    ) as reference_images,
    (select count(*) from differences d join units u using (unit_key, night)
        join exposures e using (instrument, exposure_id, night)
        where e.site = n.site and night = :night and d.state = 'processed') as differences,
    (select count(*) from candidates c where c.site = n.site and c.night = n.night) as candidates,
    (select count(*) from alerts a where a.site = n.site and a.night = n.night and a.state <> 'held') as released,
    (select count(*) from alerts a join outbox o using (candid, shutter_open)
        where a.site = n.site and a.night = n.night and o.state = 'acknowledged') as acknowledged,
    (select count(*) from tracklets t where t.site = n.site and t.night = n.night) as tracklets,
    (select max(r.sent_at) from reports r where r.site = n.site and r.night = n.night) as mail_sent_at
from nights n where n.site = :site and n.night = :night;

-- name: units_by_state
-- row: UnitCount
select u.state, count(*) as units
from units u join exposures e using (instrument, exposure_id, night)
where e.site = :site and night = :night and e.image_type = 'science'
group by u.state order by u.state;

-- name: exposures_by_state
-- row: ExposureCount
select e.image_type, e.state, count(*) as exposures
from exposures e where e.site = :site and e.night = :night
group by e.image_type, e.state order by e.image_type, e.state;

-- name: latest_events
-- row: LatestEvent
select event_id, at, night_time, level, kind, subject, message
from events order by event_id desc limit :most;

-- name: names_that_came
-- row: ArrivedName
select distinct inbox_name from arrivals;

-- name: nights_here
-- row: Night
select site, night, state, closed_at from nights where site = :site order by night;

-- name: not_ended
-- row: OpenWork
select 'exposure' as what, e.exposure_id as subject, e.state::text as state, e.first_arrival_at as since
from exposures e where e.site = :site and e.night = :night and e.state <> 'ended'
union all
select 'attempt', a.unit_key, a.state::text, a.created_at
from attempts a join jobs j using (job_key)
where j.site = :site and j.night = :night and a.night = :night and a.state in ('intended', 'submitted')
order by since limit :most;

-- name: last_file_to_alert
-- Seconds from an exposure's last file to the broker's acknowledgement of its last alert. An exposure that was
-- taken before its reference was built is differenced later, and left out.
-- row: AlertDelay
select e.exposure_id, extract(epoch from max(o.acknowledged_at) - e.last_arrival_at)::double precision as seconds
from exposures e
join units u using (instrument, exposure_id, night)
join differences d using (unit_key, night)
join reference_images r using (reference_key)
join alerts a on a.unit_key = u.unit_key
join outbox o on o.candid = a.candid and o.shutter_open = a.shutter_open
where e.site = :site and o.state = 'acknowledged' and r.built_at < e.last_arrival_at
group by e.exposure_id, e.last_arrival_at order by e.exposure_id;

-- name: exposures_ended$
select count(*) as exposures from exposures where site = :site and state = 'ended';

-- name: science_under_way$
-- Science exposures that came and have not ended.
select count(*) as exposures from exposures
where site = :site and night = :night and image_type = 'science' and state <> 'ended';

-- name: differenced_units
-- row: DifferencedUnit
select d.unit_key
from differences d join units u using (unit_key, night) join exposures e using (instrument, exposure_id, night)
where e.site = :site and night = :night and d.state = 'processed' order by d.unit_key;

-- name: tracklet_members
-- row: TrackletMember
select t.tracklet_key, m.candid
from tracklets t join tracklet_members m using (tracklet_key)
where t.site = :site and t.night = :night order by t.tracklet_key, m.position;

-- name: reference_awaited$
-- Whether a field and filter of which enough frames came has a reference that is due or being built. Of frames that lack
-- a master none is made before they are reduced again, which nobody waits for.
with good as (
    select e.field, e.filter, u.detector, u.quadrant, count(*) as frames
    from units u join exposures e using (instrument, exposure_id, night) join image_quality q using (unit_key, night)
    where e.instrument = :instrument and e.site = :site and night = :night and e.field is not null
        and u.state = 'processed' and q.good
        and not exists (select from reduced_without_master w where w.unit_key = u.unit_key)
    group by e.field, e.filter, u.detector, u.quadrant
), pointing as (
    select e.field, e.filter, count(*) as frames, bool_or(e.state <> 'ended') as under_way
    from exposures e
    where e.instrument = :instrument and e.site = :site and e.night = :night and e.image_type = 'science'
        and e.field is not null
    group by e.field, e.filter
), made as (
    select field, filter, detector, quadrant from reference_images where instrument = :instrument
)
select exists (
    select from pointing p
    where p.frames >= :at_least and (
        (p.under_way and not exists (select from made r where r.field = p.field and r.filter = p.filter))
        or exists (select from good g
            where g.field = p.field and g.filter = p.filter and g.frames >= :at_least
                and not exists (select from made r where r.field = g.field and r.filter = g.filter
                    and r.detector = g.detector and r.quadrant = g.quadrant)))
) as awaited;

-- name: night_is_over$
-- Whether a night was closed and mailed, and nothing of it has come or changed since.
select exists (
    select from nights n join reports r on r.site = n.site and r.night = n.night and r.sent_at is not null
    where n.site = :site and n.night = :night and n.state in ('closed', 'unbalanced')
        and not n.changed
) as over;

-- name: arrivals_named
-- row: NamedArrival
select disposition, reason from arrivals where inbox_name = :file_name order by arrived_at;

-- name: units_of_file
-- row: UnitOfFile
select u.unit_key, u.state, u.reason, u.flags
from units u join raw_frames r using (instrument, exposure_id, detector, night)
where r.inbox_name = :file_name and u.campaign = :campaign order by u.unit_key;

-- name: uses_of_file
-- row: CalibrationUse
select f.accepted, f.reason
from calibration_frames f join raw_frames r using (instrument, exposure_id, detector)
where r.inbox_name = :file_name order by f.calibration_key;

-- Of Airflow's metadata --------------------------------------------------------------------------------------
