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
    (select count(*)::integer from unnest(e.detectors_expected) as d (detector)
     where not exists (select from raw_frames r where r.instrument = e.instrument and r.exposure_id = e.exposure_id
         and r.detector = d.detector)) as awaited,
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
    and (u.state = 'processed' and q.good and p.path is not null and p.deleted_at is null or u.unit_key is null and w.kept_path is not null)
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

-- Reduced without a master, and again with it ---------------------------------------------------------------------

-- name: lock_masters!
-- Whoever notes what a quadrant lacked, and whoever puts a master of it in service, sees what the other has written.
select pg_advisory_xact_lock(hashtextextended('masters/' || :subject, 0));

-- name: forget_lacking!
delete from reduced_without_master where unit_key = :unit_key;

-- name: note_lacking!
insert into reduced_without_master (unit_key, kind, campaign, site, instrument, night, detector, quadrant, filter)
select u.unit_key, k.kind::calibration_kind, u.campaign, e.site, u.instrument, e.night, u.detector, u.quadrant, e.filter
from units u join exposures e using (instrument, exposure_id) cross join unnest(:kinds::text[]) as k (kind)
where u.unit_key = :unit_key and u.night = night_of(:unit_key)
on conflict do nothing;

-- name: reduce_again
-- row: LackingUnit
-- Of one quadrant of a camera: what was reduced without a master that serves by now is due once more. What a person
-- rejected, and what is not what was sent, stays as it is.
with due as (
    update units u set state = 'pending', reason = null, detail = '', ended_at = null
    where u.night = :night and u.state in ('processed', 'rejected') and u.reason is distinct from 'operator_rejected'
        and not exists (select from raw_frames r where r.instrument = u.instrument and r.exposure_id = u.exposure_id
            and r.detector = u.detector and r.invalid_reason is not null)
        and u.unit_key in (
            select w.unit_key from reduced_without_master w
            join calibrations c on c.instrument = w.instrument and c.night = w.night and c.detector = w.detector
                and c.quadrant = w.quadrant and c.kind = w.kind and c.campaign = w.campaign
                and (c.kind <> 'flat' or c.filter = w.filter)
            join products p on p.product_key = c.product_key and p.leaves_with = 'infinity'
            where w.instrument = :instrument and w.night = :night and w.detector = :detector
                and w.quadrant = :quadrant and c.state = 'in_service' and p.deleted_at is null)
    returning u.unit_key
), marked as (
    update reduced_without_master w set again_since = clock_timestamp() from due where w.unit_key = due.unit_key
)
select unit_key from due order by unit_key;

-- name: supersede_differences!
-- What is being differenced of a quadrant's former image: a late result of it is not believed.
update attempts a set state = 'superseded', reason = 'cancelled', ended_at = now(),
    detail = 'the image is reduced again with a master that it lacked'
from jobs j
where a.job_key = j.job_key and j.kind = 'difference' and a.unit_key = :unit_key and a.night = night_of(:unit_key)
    and a.state in ('intended', 'submitted');

-- name: forget_unpublished!
-- The difference of a quadrant of which no packet was made and no moving object was linked, with its candidates
-- and the objects that nothing else has: what is made again replaces it. What was published stays as it is.
with replaced as (
    select d.unit_key, d.campaign from differences d join exposures e on e.instrument = split_part(:unit_key, '/', 1)
        and e.exposure_id = split_part(:unit_key, '/', 2)
    where d.unit_key = :unit_key and d.night = night_of(:unit_key)
        and not exists (select from alerts a
            where a.unit_key = :unit_key and a.shutter_open = opening_of(:unit_key) and a.packet_path is not null)
        and not exists (select from tracklets t join tracklet_members m using (tracklet_key)
            join candidates c on c.candid = m.candid and c.shutter_open = opening_of(:unit_key)
            where t.site = e.site and t.night = e.night and c.unit_key = :unit_key)
), messages as (
    delete from outbox o using alerts a, replaced r
    where a.unit_key = r.unit_key and a.shutter_open = opening_of(:unit_key)
        and o.candid = a.candid and o.shutter_open = opening_of(:unit_key)
), their_alerts as (
    delete from alerts a using replaced r
    where a.unit_key = r.unit_key and a.shutter_open = opening_of(:unit_key)
), their_candidates as (
    delete from candidates c using replaced r
    where c.unit_key = r.unit_key and c.shutter_open = opening_of(:unit_key) and c.campaign = r.campaign
    returning c.candid, c.object_id
), their_objects as (
    delete from objects o using their_candidates t
    where o.object_id = t.object_id
        and not exists (select from candidates c where c.object_id = o.object_id and c.unit_key <> :unit_key)
        and not exists (select from alerts a where a.object_id = o.object_id and a.unit_key <> :unit_key)
), handed_on as (
    -- the first candidate names its object: one that is made again under the same number lies elsewhere
    update objects o set first_candid = other.candid
    from their_candidates t cross join lateral (
        select min(c.candid) as candid from candidates c
        where c.object_id = t.object_id and c.unit_key <> :unit_key) other
    where o.first_candid = t.candid and other.candid is not null
)
delete from differences d using replaced r
where d.unit_key = r.unit_key and d.night = night_of(:unit_key) and d.campaign = r.campaign;

-- name: differenced_units
-- row: DifferencedUnit
select d.unit_key from units u join differences d using (unit_key, campaign, night)
where u.instrument = :instrument and u.exposure_id = :exposure_id and u.campaign = :campaign
    and u.night = night_of(:instrument || '/' || :exposure_id) and d.night = night_of(:instrument || '/' || :exposure_id);

-- name: forget_other_products
-- row: ForgottenProduct
-- What an earlier attempt at a quadrant made and this one did not; a difference that stays keeps what belongs to it.
with gone as (
    delete from products p
    where p.unit_key = :unit_key and p.leaves_with = night_of(:unit_key)
        and (p.job_key, p.attempt) is distinct from (:job_key, :attempt::smallint)
        and not (p.kind in ('difference', 'cutouts') and exists (select from differences d
            where d.unit_key = :unit_key and d.night = night_of(:unit_key) and d.campaign = p.campaign))
    returning p.product_key, p.path
), their_inputs as (
    delete from product_inputs i using gone
    where i.product_key = gone.product_key and i.leaves_with = night_of(:unit_key)
), their_sources as (
    delete from sources_without_catalogue w using gone where w.product_key = gone.product_key
)
select path from gone order by path;

-- name: forget_measurements!
delete from image_measurements where unit_key = :unit_key and night = night_of(:unit_key);
