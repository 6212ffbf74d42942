-- What the nights `newest` to `oldest` hold beside: arrivals, frames, attempts, products and their inputs, alerts.
insert into arrivals (arrival_key, inbox_name, bytes, sha256, arrived_at, disposition, site, night, instrument, exposure_id,
    detector, kept_path)
select x.name || ' 1 1', x.name, 76500000, x.sha256, e.shutter_open, 'registered', e.site, e.night, e.instrument, e.exposure_id, d,
    'raw/' || e.night || '/' || x.name
from exposures e cross join generate_series(1, %(detectors)s) d
cross join lateral (select 'ztf_' || e.exposure_id || '_c' || lpad(d::text, 2, '0') || '_o.fits' as name,
    encode(sha256((e.exposure_id || d)::bytea), 'hex') as sha256) x
where e.night between %(evening)s::date - %(oldest)s and %(evening)s::date - %(newest)s;
insert into raw_frames (instrument, exposure_id, night, detector, arrival_key, inbox_name, path, sha256, bytes, header)
select instrument, exposure_id, night, detector, arrival_key, inbox_name, kept_path, sha256, bytes, '{}'
from arrivals where night between %(evening)s::date - %(oldest)s and %(evening)s::date - %(newest)s;
insert into manifests (site, night, part, parts, sha256, path)
select 'palomar', night, 1, 2, repeat('0', 64), 'manifests/' || night
from nights where night between %(evening)s::date - %(oldest)s and %(evening)s::date - %(newest)s;
insert into manifest_entries (site, night, part, file_name, bytes, sha256)
select site, night, 1, inbox_name, bytes, sha256
from arrivals where night between %(evening)s::date - %(oldest)s and %(evening)s::date - %(newest)s;
insert into attempts (job_key, unit_key, attempt, submission, night, task_index, token, folder, state, host, peak_memory_mb, seconds, ended_at)
select 'science/' || u.exposure_id, u.unit_key, 1, 1, night, u.detector - 1, md5(u.unit_key), 'work/science/' || u.unit_key || '/1', 'succeeded',
    'node001', 1800, '{"total": 21.5, "calibrate": 4.25, "measure": 8.5, "difference": 8.75}', u.ended_at
from exposures e join units u using (instrument, exposure_id, night)
where u.state = 'processed' and night between %(evening)s::date - %(oldest)s and %(evening)s::date - %(newest)s;
insert into products (product_key, leaves_with, kind, unit_key, site, night, path, sha256, bytes, code_version, settings_hash, job_key, attempt)
select u.unit_key || '/' || k, night, k, u.unit_key, e.site, night, 'processed/' || night || '/' || u.unit_key || '/' || k || '.fits',
    encode(sha256((u.unit_key || k)::bytea), 'hex'), 20000000, '0.1.0', 'c0ffee0123456789', 'science/' || u.exposure_id, 1
from exposures e join units u using (instrument, exposure_id, night)
cross join (values ('calibrated'), ('sources'), ('difference'), ('cutouts')) v (k)
where u.state = 'processed' and night between %(evening)s::date - %(oldest)s and %(evening)s::date - %(newest)s;
insert into product_inputs (product_key, leaves_with, role, input_key, sha256)
select p.product_key, p.leaves_with, r.role, case r.role when 'raw' then 'ztf/' || u.exposure_id || '/d' || lpad(u.detector::text, 2, '0')
        when 'reference' then d.reference_key || '/reference'
        else r.role || '/ztf/d' || lpad(u.detector::text, 2, '0') || '/q' || u.quadrant || '/zg/' || to_char(p.night, 'YYYYMMDD') || '/e1/v1/' || r.role end,
    p.sha256
from products p join units u on u.unit_key = p.unit_key and u.night = p.leaves_with
left join differences d on d.unit_key = u.unit_key and d.night = u.night
join (values ('calibrated', 'raw'), ('calibrated', 'bias'), ('calibrated', 'flat'), ('sources', 'raw'), ('sources', 'bias'),
    ('sources', 'flat'), ('sources', 'catalogue'), ('difference', 'raw'), ('difference', 'reference'), ('cutouts', 'raw'), ('cutouts', 'reference'))
    r (kind, role) on r.kind = p.kind
where p.night between %(evening)s::date - %(oldest)s and %(evening)s::date - %(newest)s
    and (r.role <> 'reference' or d.reference_key is not null);
insert into archive_files (site, night, path, kind, source, sha256, bytes, verified_at)
select site, night, path, 'product/' || kind, path, sha256, bytes, now()
from products where night between %(evening)s::date - %(oldest)s and %(evening)s::date - %(newest)s;
-- the open night's frames are the first of their fields, as where there is no catalogue
select note_sources(product_key, unit_key, night) from products where kind = 'sources' and %(newest)s = 0;
