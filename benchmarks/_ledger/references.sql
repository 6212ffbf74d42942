-- References of every field but the new ones of the last nights, each with its members among the oldest frames.
insert into reference_images (field, instrument, detector, quadrant, filter, version, campaign, reference_key, state, product_key,
    frames, valid_from, built_at)
select f, 'ztf', d, q, k, 1, 'live',
    'reference/' || lpad(f::text, 6, '0') || '/ztf/d' || lpad(d::text, 2, '0') || '/q' || q || '/' || k || '/v1/live', 'in_service', 'none', 6,
    %(evening)s::date - 4000, %(evening)s::date - 400
from generate_series(1, %(fields)s + 92 * %(new)s) f cross join (values ('zg'), ('zr')) v (k)
cross join generate_series(1, %(detectors)s) d cross join generate_series(1, %(quadrants)s) q
where f not between %(fields)s + 1 and %(fields)s + %(new)s;
