-- Science exposures that wait to be reduced, and what was measured of them.

-- name: mark_exposure_running!
update exposures set state = 'running', run_id = :run_id
where instrument = :instrument and exposure_id = :exposure_id and state = 'arriving';

-- name: waiting_exposures
-- Science exposures of which some unit has not been worked on, in shutter order.
-- row: WaitingExposure
-- nullable: detectors
select e.instrument, e.exposure_id, e.site, e.night, e.field, e.filter, e.shutter_open, e.state,
    steady_age_s(e.first_arrival_at) as age_s,
    cardinality(e.detectors_expected) as expected,
    (select array_agg(r.detector order by r.detector) from raw_frames r
     where r.instrument = e.instrument and r.exposure_id = e.exposure_id) as detectors
from exposures e
where e.instrument = :instrument and e.image_type = 'science' and e.state <> 'ended'
    and exists (select from units u where u.instrument = e.instrument and u.exposure_id = e.exposure_id
        and u.night = e.night and u.night >= first_unended_night(:instrument) and u.state = 'pending' and u.campaign = :campaign)
order by e.shutter_open, e.exposure_id;

-- name: unended_of_fields
-- Every science exposure that has not ended and lies on a field.
-- row: UnendedExposure
-- not null: field
select instrument, exposure_id, field, filter, shutter_open
from exposures
where instrument = :instrument and image_type = 'science' and state <> 'ended' and field is not null
order by shutter_open, exposure_id;

-- name: own_catalogues
-- The first good frame of each quadrant, field and filter that was reduced without a catalogue; its month may have left.
-- row: OwnCatalogue
select distinct on (w.field, w.filter, w.detector, w.quadrant)
    w.field, w.filter, w.instrument, w.detector, w.quadrant, w.product_key, coalesce(p.path, w.kept_path) as path,
    coalesce(p.sha256, w.kept_sha256) as sha256
from unnest(:fields::integer[], :filters::text[]) as g (field, filter)
join sources_without_catalogue w on w.field = g.field and w.filter = g.filter and w.instrument = :instrument
left join units u on u.unit_key = w.unit_key and u.night = w.night
    and u.night = any (nights_of_catalogues(:instrument, :fields::integer[], :filters::text[]))
left join image_quality q on q.unit_key = w.unit_key and q.night = w.night
    and q.night = any (nights_of_catalogues(:instrument, :fields::integer[], :filters::text[]))
left join products p on p.product_key = w.product_key and p.leaves_with = w.night
    and p.leaves_with = any (nights_of_catalogues(:instrument, :fields::integer[], :filters::text[]))
where w.campaign = :campaign
    and (u.state = 'processed' and q.good and p.deleted_at is null or u.unit_key is null and w.kept_path is not null)
order by w.field, w.filter, w.detector, w.quadrant, w.shutter_open, w.exposure_id;

-- name: units_to_do
-- With whether a person accepted the unit or its frame, whatever the checks say.
-- row: UnitToReduce
select u.unit_key, u.detector, u.quadrant, r.path, r.sha256,
    coalesce((select o.verdict = 'accept' from overrides o
        where o.subject in (u.unit_key, substring(u.unit_key from '^[^/]+/[^/]+/[^/]+'))
        order by o.override_id desc limit 1), false) as accepted
from units u
join raw_frames r using (instrument, exposure_id, detector)
where u.instrument = :instrument and u.exposure_id = :exposure_id and u.campaign = :campaign
    and u.night = night_of(:instrument || '/' || :exposure_id) and u.state = 'pending' and r.invalid_reason is null
order by u.detector, u.quadrant;

-- name: reject_invalid_units!
-- The file behind them was found to be another than the one that was sent.
update units u set state = 'rejected', reason = r.invalid_reason, detail = 'found before it was reduced',
    ended_at = now()
from raw_frames r
where r.instrument = u.instrument and r.exposure_id = u.exposure_id and r.detector = u.detector
    and u.instrument = :instrument and u.exposure_id = :exposure_id
    and u.night = night_of(:instrument || '/' || :exposure_id) and u.state = 'pending'
    and r.invalid_reason is not null;

-- name: put_measurements!
-- Each number goes to the position of its name; a number that was not measured is null there.
insert into image_measurements (unit_key, night, instrument, exposure_id, detector, quadrant, good, warnings, corners_deg,
    values)
values (:unit_key, night_of(:unit_key), :instrument, :exposure_id, :detector, :quadrant, :good, :warnings::text[],
    :corners_deg::double precision[],
    (select array_agg(n.number order by m.position)
     from measurements m
     left join unnest(:names::text[], :numbers::double precision[]) as n (name, number) using (name)))
on conflict (unit_key, night) do update set
    good = excluded.good, warnings = excluded.warnings, corners_deg = excluded.corners_deg,
    values = excluded.values;

-- name: forget_cancelled_units!
update units set state = 'pending', reason = null, detail = '', ended_at = null
where state = 'failed' and reason = 'cancelled' and night = any (nights_of_job(:job_key)) and unit_key in (
    select unit_key from attempts where job_key = :job_key and night = any (nights_of_job(:job_key)));
