-- Everything that is known of one file, exposure or unit.

-- name: arrivals_like
-- row: Arrival
-- nullable: reason, night
-- Arrivals of a file name (of one night, where it is given), of an exposure, or by their own key.
select a.arrival_key, a.arrived_at, a.inbox_name, a.bytes, a.sha256, a.disposition::text as disposition,
    coalesce(a.reason, q.reason) as reason, coalesce(nullif(a.detail, ''), q.detail, '') as detail, a.kept_path,
    q.disposed_at, q.disposed_by, q.disposed_as
from arrivals a left join quarantine q using (arrival_key)
where (a.inbox_name = :thing or a.exposure_id = :thing or a.arrival_key = :thing)
    and (:night::date is null or a.night = :night::date)
order by a.arrived_at, a.arrival_key;

-- name: on_manifests
-- row: ManifestLine
-- nullable: night
-- What the mountain says of a file name.
select e.site, e.night, e.part, e.bytes, e.sha256, m.received_at, exists (select from arrivals_on_manifests a
    where a.site = e.site and a.night = e.night and a.file_name = e.file_name) as arrived
from manifest_entries e join manifests m using (site, night, part)
where e.file_name = :thing and (:night::date is null or e.night = :night::date)
order by e.night, e.part;

-- name: frame_notes
-- row: FrameNote
-- nullable: late
-- Whether a frame came after its night had closed, and whether a manifest of its night names it.
select r.inbox_name, r.detector, a.arrived_at > (
        select min(x.at) from events x where x.kind in ('night_closed', 'unbalanced')
            and x.subject = e.site || '/' || to_char(e.night, 'YYYYMMDD')) as late,
    exists (select from manifests m where m.site = e.site and m.night = e.night) and not exists (
        select from manifest_entries m where m.site = e.site and m.night = e.night
            and m.file_name = r.inbox_name) as unlisted
from raw_frames r join exposures e using (instrument, exposure_id) join arrivals a using (arrival_key)
where r.instrument = :instrument and r.exposure_id = :exposure_id
order by r.detector;

-- name: exposures_like
-- row: Exposure
-- nullable: night
with called as (
    select instrument, exposure_id from exposures where exposure_id = :thing
    union
    select instrument, exposure_id from exposures
    where instrument = split_part(:thing, '/', 1) and exposure_id = split_part(:thing, '/', 2)
        and instrument || '/' || exposure_id = :thing
    union
    select instrument, exposure_id from raw_frames where inbox_name = :thing
    union
    select instrument, exposure_id from units where unit_key = :thing and night = night_of(:thing)
)
select e.instrument, e.exposure_id, e.site, e.night, e.image_type::text as image_type, e.field, e.filter,
    e.exposure_s, e.shutter_open, e.state::text as state, e.run_id, e.ended_at
from called join exposures e using (instrument, exposure_id)
where :night::date is null or e.night = :night::date
order by e.shutter_open, e.exposure_id;

-- name: frames_like
-- row: Frame
select r.detector, r.inbox_name, r.path, r.sha256, r.invalid_reason, r.registered_at
from raw_frames r
where r.instrument = :instrument and r.exposure_id = :exposure_id and (:thing in ('', r.inbox_name))
order by r.detector;

-- name: units_like
-- row: Unit
select u.unit_key, u.state::text as state, u.reason, u.detail, u.flags, u.ended_at
from units u
left join raw_frames r using (instrument, exposure_id, detector)
where u.instrument = :instrument and u.exposure_id = :exposure_id
    and u.night = night_of(:instrument || '/' || :exposure_id)
    and (:thing in ('', u.unit_key) or r.inbox_name = :thing)
order by u.unit_key;

-- name: uses_in_masters
-- row: UseInMaster
select f.detector, f.calibration_key, f.accepted, f.reason, f.level
from calibration_frames f
where f.instrument = :instrument and f.exposure_id = :exposure_id
order by f.calibration_key, f.detector;

-- name: attempts_of_unit
-- row: Attempt
select job_key, attempt, state::text as state, reason, detail, host, peak_memory_mb, created_at, ended_at
from attempts where unit_key = :unit_key and night = night_of(:unit_key) order by created_at, job_key, attempt;

-- name: products_of_unit
-- row: Product
select p.product_key, p.kind, p.path, p.sha256, p.code_version, p.settings_hash, p.made_at,
    array_remove(array_agg(i.role || ' ' || i.input_key order by i.role, i.input_key), null) as inputs
from products p left join product_inputs i on i.product_key = p.product_key and i.leaves_with = p.leaves_with
    and i.leaves_with in (night_of(:unit_key), 'infinity')
where p.unit_key = :unit_key and p.leaves_with in (night_of(:unit_key), 'infinity')
group by p.product_key, p.leaves_with order by p.product_key;

-- name: difference_of_unit
-- row: Difference
select reference_key, state::text as state, reason, detail, candidates
from differences where unit_key = :unit_key and night = night_of(:unit_key);

-- name: alerts_of_unit
-- row: AlertsInState
select state::text as state, reason, count(*) as alerts from alerts
where unit_key = :unit_key and shutter_open = opening_of(:unit_key)
group by state, reason order by state, reason;

-- name: events_about
-- row: Event
select at, level::text as level, kind, message from events where subject = any (:subjects::text[]) order by event_id;
