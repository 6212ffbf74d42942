-- When a reference is due, what it is made of, and which one serves.

-- name: references_due
-- Quadrants without any reference that have enough good frames, where no earlier frame is still to be reduced.
with good as (
    select e.field, e.filter, u.instrument, u.detector, u.quadrant, e.shutter_open, e.exposure_id, e.site, e.night,
        row_number() over (partition by e.field, e.filter, u.instrument, u.detector, u.quadrant
            order by e.shutter_open, e.exposure_id) as place
    from units u
    join exposures e using (instrument, exposure_id)
    join image_quality q using (unit_key)
    where u.instrument = :instrument and u.state = 'processed' and q.good and u.campaign = 'live'
        and u.tier = 'processed' and e.field is not null
        and not exists (select from reference_images r where r.field = e.field and r.instrument = u.instrument
            and r.detector = u.detector and r.quadrant = u.quadrant and r.filter = e.filter)
)
select g.field, g.filter, g.instrument, count(*)::integer as quadrants
from good g join nights n using (site, night)
where g.place = :at_least and (not :at_closing or n.state = 'closing')
    and not exists (select from exposures x where x.instrument = g.instrument and x.field = g.field
        and x.filter = g.filter and x.image_type = 'science' and x.state <> 'ended'
        and (x.shutter_open, x.exposure_id) <= (g.shutter_open, g.exposure_id))
group by g.field, g.filter, g.instrument order by g.field, g.filter, g.instrument;

-- name: good_units
-- All good frames that a reference may be made of, in shutter order, with their two products.
select u.unit_key, u.detector, u.quadrant, e.exposure_id, e.shutter_open, e.site, e.night, q.fwhm_px, q.zero_point,
    c.product_key as calibrated_key, c.path as calibrated_path, c.sha256 as calibrated_sha256,
    s.product_key as sources_key, s.path as sources_path, s.sha256 as sources_sha256
from units u
join exposures e using (instrument, exposure_id)
join image_quality q using (unit_key)
join products c on c.unit_key = u.unit_key and c.kind = 'calibrated'
join products s on s.unit_key = u.unit_key and s.kind = 'sources'
where e.instrument = :instrument and e.field = :field and e.filter = :filter
    and u.state = 'processed' and q.good and u.campaign = 'live' and u.tier = 'processed'
    and c.deleted_at is null and s.deleted_at is null
order by u.detector, u.quadrant, e.shutter_open, e.exposure_id;

-- name: earliest_unended
select min(shutter_open) as shutter_open from exposures
where instrument = :instrument and field = :field and filter = :filter and image_type = 'science'
    and state <> 'ended';

-- name: reference_versions
select detector, quadrant, max(version)::integer as version, bool_or(version = :version) as made
from reference_images
where instrument = :instrument and field = :field and filter = :filter
group by detector, quadrant;

-- name: references_serving
-- For each quadrant the reference that serves a frame of that moment.
select distinct on (r.detector, r.quadrant)
    r.detector, r.quadrant, r.reference_key, r.version, p.product_key, p.path, p.sha256,
    s.product_key as sources_key, s.path as sources_path, s.sha256 as sources_sha256
from reference_images r
join products p on p.product_key = r.product_key
join products s on s.unit_key = r.reference_key and s.kind = 'reference_sources'
where r.instrument = :instrument and r.field = :field and r.filter = :filter and r.state = 'in_service'
    and r.valid_from <= :shutter_open and (r.valid_to is null or r.valid_to > :shutter_open)
    and p.deleted_at is null and s.deleted_at is null
order by r.detector, r.quadrant, r.version desc;

-- name: put_reference!
insert into reference_images (field, instrument, detector, quadrant, filter, version, reference_key, state, reason,
    detail, product_key, frames, fwhm_px, zero_point, limiting_magnitude, valid_from, requested_by, request_reason)
values (:field, :instrument, :detector, :quadrant, :filter, :version, :reference_key, :state::reference_state,
    :reason, :detail, :product_key, :frames, :fwhm_px, :zero_point, :limiting_magnitude, :valid_from,
    :requested_by, :request_reason)
on conflict (reference_key) do nothing;

-- name: put_reference_members!
insert into reference_members (reference_key, unit_key, position, weight)
select :reference_key, m.unit_key, m.position, m.weight
from jsonb_to_recordset((:members)::jsonb -> 'rows')
    as m (unit_key text, position smallint, weight double precision)
on conflict do nothing;

-- name: forget_cancelled_references!
delete from reference_images where state = 'rejected' and reason = 'cancelled'
    and reference_key in (select unit_key from attempts where job_key = :job_key);


-- name: lock_field
-- One request at a time for one field and filter; released with the transaction.
select pg_advisory_xact_lock(hashtextextended('regenerate/' || :subject, 0));

-- name: request
select (detail ->> 'version')::integer as version
from audit where action = :action and detail ->> 'request_id' = :request_id order by audit_id limit 1;

-- name: next_version
-- After every version that was made, or asked for and is still to come.
select 1 + greatest(
    (select coalesce(max(version), 0) from reference_images
     where instrument = :instrument and field = :field and filter = :filter),
    (select coalesce(max((detail ->> 'version')::integer), 0) from audit
     where action = 'regenerate_reference' and detail ->> 'instrument' = :instrument
        and detail ->> 'field' = (:field)::text and detail ->> 'filter' = :filter)) as version;

-- name: put_audit!
insert into audit (operator, action, subject, detail) values (:operator, :action, :subject, :detail);
