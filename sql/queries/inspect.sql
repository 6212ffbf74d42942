-- What `nightshift inspect` shows of one quadrant, master or reference.

-- name: units_like
-- row: UnitCalled
with called as (
    select instrument, exposure_id from exposures where exposure_id = split_part(:text, '/', 1)
    union
    select instrument, exposure_id from exposures
    where instrument = split_part(:text, '/', 1) and exposure_id = split_part(:text, '/', 2)
)
select unit_key from called join exposures e using (instrument, exposure_id)
join units u using (instrument, exposure_id, night)
where unit_key = :text or exposure_id = :text or starts_with(unit_key, :text || '/')
    or starts_with(unit_key, instrument || '/' || :text || '/')
union
select unit_key from units where instrument = :text
order by unit_key;

-- name: calibration^
-- row: Calibration
select state::text as state, reason, detail, frames, level, noise, read_noise, gain, valid_from, valid_to
from calibrations where calibration_key = :key;

-- name: reference_image^
-- row: ReferenceImage
select state::text as state, reason, detail, frames, fwhm_px, zero_point, limiting_magnitude, valid_from, valid_to
from reference_images where reference_key = :key;

-- name: unit^
select state::text as state, reason, detail, flags from units
where unit_key = :unit_key and night = night_of(:unit_key);

-- name: products
-- row: Product
select kind, path from products
where unit_key = :unit_key and leaves_with in (night_of(:unit_key), 'infinity') and deleted_at is null;

-- name: quality^
select good, warnings from image_measurements where unit_key = :unit_key and night = night_of(:unit_key);

-- name: measurements
-- row: UnitMeasurement
-- nullable: value
-- What a unit was measured for; null where one of the measurements was not made.
select m.name, i.values[m.position] as value
from image_measurements i cross join measurements m
where i.unit_key = :unit_key and i.night = night_of(:unit_key) order by m.position;

-- name: difference^
select state::text as state, reason, detail, candidates, noise_ratio, limiting_magnitude, quality
from differences where unit_key = :unit_key and night = night_of(:unit_key) and campaign = :campaign;

-- name: reference^
-- row: ReferenceProduct
select p.path
from differences d join reference_images r using (reference_key)
join products p on p.product_key = r.product_key and p.leaves_with = 'infinity'
where d.unit_key = :unit_key and d.night = night_of(:unit_key) and d.campaign = :campaign and p.deleted_at is null
order by d.reference_key desc limit 1;

-- name: candidates
-- row: Candidate
select number, x, y, positive, signal_to_noise,
    unpack_record(layout, numbers, singles, texts) as record
from candidates where unit_key = :unit_key and shutter_open = opening_of(:unit_key) and campaign = :campaign order by number;
