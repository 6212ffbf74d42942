-- Differences against a reference that came later than the frame, and their candidates.

-- name: differences_due
-- Exposures that were reduced before their reference came into service, in shutter order.
-- row: DueDifference
select e.instrument, e.exposure_id, e.shutter_open, max(r.version)::integer as version
from undifferenced w
join exposures e using (instrument, exposure_id)
join reference_images r on r.field = w.field and r.instrument = w.instrument and r.detector = w.detector
    and r.quadrant = w.quadrant and r.filter = w.filter
where w.instrument = :instrument and e.state = 'ended' and w.campaign = :campaign
    and r.campaign = any (:campaigns::text[]) and r.state = 'in_service'
    and r.valid_from <= e.shutter_open and (r.valid_to is null or r.valid_to > e.shutter_open)
group by e.instrument, e.exposure_id, e.shutter_open
order by e.shutter_open, e.exposure_id;

-- name: units_to_difference
-- row: UnitToDifference
select u.unit_key, u.detector, u.quadrant,
    c.product_key as calibrated_key, c.path as calibrated_path, c.sha256 as calibrated_sha256,
    s.product_key as sources_key, s.path as sources_path, s.sha256 as sources_sha256
from units u
join products c on c.unit_key = u.unit_key and c.leaves_with = u.night and c.kind = 'calibrated'
join products s on s.unit_key = u.unit_key and s.leaves_with = u.night and s.kind = 'sources'
where u.night = night_of(:instrument || '/' || :exposure_id) and u.instrument = :instrument
    and u.exposure_id = :exposure_id and u.campaign = :campaign
    and u.state = 'processed' and c.deleted_at is null and s.deleted_at is null
    and not exists (select from differences d where d.unit_key = u.unit_key and d.night = u.night
        and d.campaign = u.campaign)
order by u.detector, u.quadrant;

-- name: awaits_difference$
-- Whether the image that was differenced still stands, and nothing else was made of it.
select exists (select from units u
    where u.unit_key = :unit_key and u.night = night_of(:unit_key) and u.state not in ('pending', 'running')
        and not exists (select from differences d
            where d.unit_key = u.unit_key and d.night = u.night and d.campaign = u.campaign)) as awaits;

-- name: put_difference!
-- One without candidates has nothing that awaits its release.
insert into differences (unit_key, night, reference_key, campaign, state, reason, detail, product_key, candidates,
    noise_ratio, limiting_magnitude, quality, ended_at, release_order_at, released_at)
values (:unit_key, night_of(:unit_key), :reference_key, :campaign, :state::unit_state, :reason, :detail, :product_key,
    :candidates, :noise_ratio, :limiting_magnitude, :quality, now(), release_order_of(:unit_key, :reference_key),
    case when :candidates = 0 or :state <> 'processed' then now() end)
on conflict do nothing;

-- name: make_month
select make_month(:shutter_open);

-- name: put_candidates!
insert into candidates (candid, shutter_open, unit_key, campaign, reference_key, number, processing_id, site, night,
    field, filter, ra_deg, dec_deg, x, y, positive, signal_to_noise, magnitude, magnitude_error, layout, numbers,
    singles, texts)
select c.candid, :shutter_open, :unit_key, :campaign, :reference_key, c.number, :processing_id, :site, :night,
    :field, :filter, c.ra_deg, c.dec_deg, c.x, c.y, c.positive, c.signal_to_noise, c.magnitude, c.magnitude_error,
    p.layout, p.numbers, p.singles, p.texts
from jsonb_to_recordset((:candidates)::jsonb -> 'rows')
    as c (candid bigint, number smallint, ra_deg double precision, dec_deg double precision, x double precision,
          y double precision, positive boolean, signal_to_noise real, magnitude real, magnitude_error real,
          record jsonb)
cross join lateral pack_record(c.record, :single_fields::text[], :common_fields::text[]) p
on conflict (candid, shutter_open) do nothing;

-- name: forget_cancelled_differences!
delete from differences where state = 'failed' and reason = 'cancelled'
    and night = any (nights_of_job(:job_key)) and unit_key in (
        select unit_key from attempts where job_key = :job_key and night = any (nights_of_job(:job_key)));
