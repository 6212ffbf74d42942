-- Calibration sets and the masters that are built of them.

-- name: mark_set_running!
update exposures set state = 'running', run_id = :run_id
where instrument = :instrument and night = :night and image_type = :kind::image_type and filter = :filter
    and state = 'arriving';

-- name: calibration_sets
-- The sets (night, kind, filter, instrument) of every night of which something has not ended. A frame that a master
-- has judged for every quadrant needs no other, though nobody may have come to end its exposure yet. `offset 0` keeps
-- the few nights apart from what is looked up for each: what is read of the rest of history does not grow with it.
-- row: CalibrationSet
with pending as materialized (
    select distinct site, night from exposures where instrument = :instrument and state <> 'ended'
), frames as (
    select e.site, e.night, e.instrument, e.exposure_id, e.image_type, e.filter, e.sequence, e.sequence_index,
        e.sequence_length, e.first_arrival_at, e.last_arrival_at,
        cardinality(e.detectors_expected) <= (
            select count(*) from raw_frames r
            where r.instrument = e.instrument and r.exposure_id = e.exposure_id
                and r.detector = any (e.detectors_expected)) as whole,
        e.state = 'ended' or (
            select count(distinct (f.detector, c.quadrant))
            from calibration_frames f join calibrations c using (calibration_key)
            join raw_frames r on r.instrument = f.instrument and r.exposure_id = f.exposure_id
                and r.detector = f.detector
            where f.instrument = e.instrument and f.exposure_id = e.exposure_id and r.invalid_reason is null
                and c.campaign = :campaign
        ) >= greatest(1, :quadrants * (
            select count(*) from raw_frames r
            where r.instrument = e.instrument and r.exposure_id = e.exposure_id and r.invalid_reason is null
        )) as judged
    from pending p cross join lateral (
        select * from exposures x
        where x.instrument = :instrument and x.site = p.site and x.night = p.night
            and x.image_type in ('bias', 'dark', 'flat') offset 0) e
), sequences as (
    select site, night, instrument, image_type, filter, sequence,
        count(*) filter (where not judged) as unended,
        max(last_arrival_at) as last_arrival_at,
        coalesce(bool_and(whole and sequence_length is not null)
            and count(distinct sequence_index) >= max(sequence_length), false) as complete
    from frames group by site, night, instrument, image_type, filter, sequence
), sets as (
    select site, night, instrument, image_type, filter, sum(unended)::integer as unended,
        max(last_arrival_at) as last_arrival_at, bool_and(complete) as complete
    from sequences group by site, night, instrument, image_type, filter
), detectors as (
    select e.night, e.instrument, e.image_type, e.filter, count(distinct r.detector)::integer as detectors
    from frames e cross join lateral (
        select f.detector from raw_frames f
        where f.instrument = e.instrument and f.exposure_id = e.exposure_id and f.invalid_reason is null offset 0) r
    group by e.night, e.instrument, e.image_type, e.filter
), masters as (
    select distinct on (c.night, c.instrument, c.kind, c.filter)
        c.night, c.instrument, c.kind, c.filter, c.version, count(*)::integer as masters
    from (select distinct instrument, night from sets) s cross join lateral (
        select * from calibrations x
        where x.instrument = s.instrument and x.night = s.night and x.campaign = :campaign offset 0) c
    group by c.night, c.instrument, c.kind, c.filter, c.version
    order by c.night, c.instrument, c.kind, c.filter, c.version desc
)
select s.site, s.night, s.instrument, s.image_type::text::calibration_kind as kind, s.filter, s.unended, s.complete,
    steady_age_s(s.last_arrival_at) as quiet_s,
    coalesce(d.detectors, 0) as detectors, coalesce(m.version, 0)::integer as version,
    coalesce(m.masters, 0) as masters,
    steady_age_s(greatest(s.last_arrival_at, (
        select max(r.requested_at) from runs r
        where r.dag_id = 'calibrations' and r.conf ->> 'instrument' = s.instrument
            and r.conf ->> 'night' = s.night::text and r.conf ->> 'kind' = s.image_type::text
            and coalesce(r.conf ->> 'filter', '') = s.filter))) as still_s
from sets s
left join detectors d using (night, instrument, image_type, filter)
left join masters m on m.night = s.night and m.instrument = s.instrument
    and m.kind::text = s.image_type::text and m.filter = s.filter
order by s.night, s.instrument, s.image_type, s.filter;

-- name: frames_of_set
-- With the filter that the frame's sequence was meant to be in: another than its own where it is one of few strays.
-- row: CalibrationFrame
with shares as (
    select e.sequence, e.filter, count(*) as exposures
    from exposures e
    where e.instrument = :instrument and e.night = :night and e.image_type = :kind::image_type
        and e.sequence is not null
    group by e.sequence, e.filter
)
select r.instrument, r.exposure_id, r.detector, r.path, r.sha256, e.filter, e.exposure_s, e.shutter_open, e.site,
    coalesce((
        select other.filter from shares own join shares other using (sequence)
        where own.sequence = e.sequence and own.filter = e.filter and other.exposures >= 3 * own.exposures
        order by other.exposures desc, other.filter limit 1), e.filter) as meant_filter,
    coalesce((select o.verdict = 'accept' from overrides o
        where o.subject = r.instrument || '/' || r.exposure_id || '/d'
            || case when r.detector < 10 then '0' else '' end || r.detector
        order by o.override_id desc limit 1), false) as accepted
from exposures e join raw_frames r using (instrument, exposure_id)
where e.instrument = :instrument and e.night = :night and e.image_type = :kind::image_type
    and e.filter = :filter and r.invalid_reason is null
order by r.detector, e.shutter_open, r.exposure_id;

-- name: end_set!
-- A calibration exposure has ended when every quadrant of every usable frame of it was judged.
update exposures e set state = 'ended', ended_at = now()
where e.instrument = :instrument and e.night = :night and e.image_type = :kind::image_type and e.filter = :filter
    and e.state <> 'ended'
    and (select count(distinct (f.detector, c.quadrant))
         from calibration_frames f join calibrations c using (calibration_key)
         join raw_frames r on r.instrument = f.instrument and r.exposure_id = f.exposure_id
            and r.detector = f.detector and r.invalid_reason is null
         where f.instrument = e.instrument and f.exposure_id = e.exposure_id and c.campaign = :campaign)
      >= :quadrants * (select count(*) from raw_frames r
         where r.instrument = e.instrument and r.exposure_id = e.exposure_id and r.invalid_reason is null);

-- name: masters_in_reach
-- The newest usable master of each kind and quadrant, of the night itself or of a night not too long before it. Of one
-- night that of the campaign named first.
-- row: Master
select distinct on (c.kind, c.detector, c.quadrant)
    c.kind, c.detector, c.quadrant, c.calibration_key, c.night = :night as own,
    p.product_key, p.path, p.sha256
from calibrations c join products p using (product_key)
where c.instrument = :instrument and c.state = 'in_service' and p.leaves_with = 'infinity' and p.deleted_at is null
    and (c.kind <> 'flat' or c.filter = :filter)
    and c.night between :oldest and :night and c.campaign = any (:campaigns::text[])
order by c.kind, c.detector, c.quadrant, c.night desc, array_position(:campaigns::text[], c.campaign), c.epoch desc,
    c.version desc;

-- name: last_masters
-- The last good master before this night, however old within its epoch, to compare a new one with.
-- row: LastMaster
select distinct on (c.detector, c.quadrant) c.detector, c.quadrant, p.product_key, p.path, p.sha256
from calibrations c join products p using (product_key)
where c.instrument = :instrument and c.state = 'in_service' and p.leaves_with = 'infinity' and p.deleted_at is null
    and c.kind = :kind::calibration_kind and c.filter = :filter and c.night < :night and c.night >= :oldest
    and c.campaign = any (:campaigns::text[])
order by c.detector, c.quadrant, c.night desc, array_position(:campaigns::text[], c.campaign), c.epoch desc,
    c.version desc;

-- name: masters_of_version
-- row: MadeMaster
select calibration_key from calibrations
where instrument = :instrument and night = :night and kind = :kind::calibration_kind and filter = :filter
    and version = :version and campaign = :campaign;

-- name: put_calibration!
insert into calibrations (kind, instrument, detector, quadrant, filter, night, epoch, version, campaign,
    calibration_key, state, reason, detail, product_key, frames, level, noise, read_noise, gain, gain_error, valid_from)
values (:kind::calibration_kind, :instrument, :detector, :quadrant, :filter, :night, :epoch, :version, :campaign,
    :calibration_key, :state::calibration_state, :reason, :detail, :product_key, :frames, :level, :noise, :read_noise,
    :gain, :gain_error, :valid_from)
on conflict (calibration_key) do nothing;

-- name: put_calibration_frames!
insert into calibration_frames (calibration_key, instrument, exposure_id, detector, accepted, reason, level)
select :calibration_key, f.instrument, f.exposure_id, f.detector, f.accepted, f.reason, f.level
from jsonb_to_recordset((:frames)::jsonb -> 'rows')
    as f (instrument text, exposure_id text, detector smallint, accepted boolean, reason text,
          level double precision)
on conflict do nothing;

-- name: release_held!
-- A master came after all: what was held for the lack of one is due again.
update units u set state = 'pending', reason = null, detail = '', ended_at = null
from exposures e
where e.instrument = u.instrument and e.exposure_id = u.exposure_id
    and e.instrument = :instrument and e.night = :night and u.night = :night and (:filter = '' or e.filter = :filter)
    and u.detector = :detector and u.quadrant = :quadrant and u.campaign = :campaign
    and u.state = 'held' and u.reason = 'calibration_missing';

-- name: forget_cancelled_calibration_frames!
delete from calibration_frames where calibration_key in (
    select calibration_key from calibrations where state = 'rejected' and reason = 'cancelled'
        and calibration_key in (
            select unit_key from attempts where job_key = :job_key and night = any (nights_of_job(:job_key))));

-- name: forget_cancelled_calibrations!
delete from calibrations where state = 'rejected' and reason = 'cancelled'
    and calibration_key in (
        select unit_key from attempts where job_key = :job_key and night = any (nights_of_job(:job_key)));
