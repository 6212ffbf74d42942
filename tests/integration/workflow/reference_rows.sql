truncate nights, exposures, units, image_measurements, differences, jobs, products, product_inputs, reference_images,
    undifferenced, sources_without_catalogue cascade;
insert into nights (site, night, begins, ends, state)
values ('demo', '2026-01-14', '2026-01-14 20:00', '2026-01-15 20:00', 'closed'),
    ('demo', '2026-01-15', '2026-01-15 20:00', '2026-01-16 20:00', %(night_state)s);
insert into jobs (job_key, kind, subject, site, night) values ('job', 'science', 'test', 'demo', '2026-01-15');
insert into exposures (instrument, exposure_id, site, night, ut_day, image_type, field, filter, exposure_s, shutter_open,
    detectors_expected, state)
select 'democam', f ->> 'id', 'demo', (f ->> 'night')::date, (f ->> 'night')::date, 'science', 101, 'g', 30,
    (f ->> 'night')::date + interval '30 h' + (f ->> 'minute')::integer * interval '1 min', '{1}',
    (f ->> 'exposure')::exposure_state
from jsonb_array_elements(%(frames)s::jsonb) f;
insert into units (instrument, exposure_id, detector, quadrant, night, unit_key, state, reason, ended_at)
select 'democam', f ->> 'id', 1, q, (f ->> 'night')::date, 'democam/' || (f ->> 'id') || '/d01/q' || q || '/processed/live',
    (f ->> 'unit')::unit_state, case f ->> 'unit' when 'rejected' then 'seeing_too_poor' end,
    case when f ->> 'unit' <> 'pending' then now() end
from jsonb_array_elements(%(frames)s::jsonb) f cross join generate_series(1, 2) q;
insert into image_measurements (unit_key, night, instrument, exposure_id, detector, quadrant, good, values)
select unit_key, night, instrument, exposure_id, detector, quadrant, (f ->> 'good')::boolean or quadrant = 2, '{2.0}'
from units join jsonb_array_elements(%(frames)s::jsonb) f on f ->> 'id' = exposure_id;
insert into products (product_key, leaves_with, kind, unit_key, site, night, path, sha256, bytes, code_version, settings_hash, job_key,
    attempt, deleted_at)
select unit_key || '/' || k, night, k, unit_key, 'demo', night, unit_key || '/' || k, repeat('0', 64), 1, '', '', 'job', 1,
    case when k = 'sources' and not (f ->> 'kept')::boolean then now() end
from units join jsonb_array_elements(%(frames)s::jsonb) f on f ->> 'id' = exposure_id
cross join (values ('calibrated'), ('sources')) v (k);
insert into reference_images (field, instrument, detector, quadrant, filter, version, campaign, reference_key, state,
    reason)
select 101, 'democam', 1, 1, 'g', 1, 'live', 'reference/000101/democam/d01/q1/g/v1/live', 'rejected', 'too_few_frames'
where %(rejected)s
