-- When a reference is due, what it is made of, and which one serves.

-- name: references_due
-- Quadrants without any reference of the campaigns that serve this one, which have enough good frames and no earlier
-- frame that is still to be reduced.
-- row: DueReference
-- not null: field, filter, instrument
select w.field, w.filter, w.instrument, count(*)::integer as quadrants
from fields_without_reference w
cross join lateral first_references(
    w.instrument, w.field, w.filter, w.campaign, :tier::tier, :campaigns::text[], :at_least,
    first_night_without_reference(:instrument, :campaign)) f
join nights n on n.site = f.site and n.night = f.night
where w.instrument = :instrument and w.campaign = :campaign and f.settled and (not :at_closing or n.state = 'closing')
    and (not :at_closing or exists (select from nights c where c.state = 'closing'))
group by w.field, w.filter, w.instrument order by w.field, w.filter, w.instrument;

-- name: good_units
-- All good frames that a reference may be made of now, in shutter order, with their two products.
-- row: GoodUnit
-- nullable: fwhm_px, zero_point
select unit_key, detector, quadrant, exposure_id, shutter_open, site, night, fwhm_px, zero_point, calibrated_key,
    calibrated_path, calibrated_sha256, sources_key, sources_path, sources_sha256
from reference_frames(:instrument, :field, :filter, :campaign, :tier::tier, null,
    first_night_of_field(:instrument, :field, :filter)) where settled
order by detector, quadrant, place;

-- name: reference_versions
-- row: ReferenceVersion
select detector, quadrant, max(version)::integer as version, bool_or(version = :version) as made
from reference_images
where instrument = :instrument and field = :field and filter = :filter and campaign = :campaign
group by detector, quadrant;

-- name: references_serving
-- For each quadrant the reference that serves a frame of that moment, of the campaign named first that has one.
-- row: Reference
select distinct on (r.detector, r.quadrant)
    r.detector, r.quadrant, r.reference_key, r.version, p.product_key, p.path, p.sha256,
    s.product_key as sources_key, s.path as sources_path, s.sha256 as sources_sha256
from reference_images r
join products p on p.product_key = r.product_key and p.leaves_with = 'infinity'
join products s on s.unit_key = r.reference_key and s.leaves_with = 'infinity' and s.kind = 'reference_sources'
where r.instrument = :instrument and r.field = :field and r.filter = :filter and r.state = 'in_service'
    and r.valid_from <= :shutter_open and (r.valid_to is null or r.valid_to > :shutter_open)
    and r.campaign = any (:campaigns::text[]) and p.deleted_at is null and s.deleted_at is null
order by r.detector, r.quadrant, array_position(:campaigns::text[], r.campaign), r.version desc;

-- name: put_reference!
insert into reference_images (field, instrument, detector, quadrant, filter, version, campaign, reference_key, state,
    reason, detail, product_key, frames, fwhm_px, zero_point, limiting_magnitude, valid_from, requested_by, request_reason)
values (:field, :instrument, :detector, :quadrant, :filter, :version, :campaign, :reference_key, :state::reference_state,
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
    and reference_key in (
        select unit_key from attempts where job_key = :job_key and night = any (nights_of_job(:job_key)));

-- name: lock_field
-- One request at a time for one field and filter; released with the transaction.
select pg_advisory_xact_lock(hashtextextended('regenerate/' || :subject, 0));

-- name: request^
-- row: KnownRequest
select (detail ->> 'version')::integer as version
from audit where action = :action and detail ->> 'request_id' = :request_id order by audit_id limit 1;

-- name: next_version$
-- After every version that was made, or asked for and is still to come.
select 1 + greatest(
    (select coalesce(max(version), 0) from reference_images
     where instrument = :instrument and field = :field and filter = :filter and campaign = :campaign),
    (select coalesce(max((detail ->> 'version')::integer), 0) from audit
     where action = 'regenerate_reference' and detail ->> 'instrument' = :instrument
        and detail ->> 'field' = (:field)::text and detail ->> 'filter' = :filter)) as version;
