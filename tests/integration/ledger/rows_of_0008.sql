-- One of each row that names a master or a reference, as a ledger had them before migration 0009.
insert into reasons (reason, error_class, sentence) values ('truncated_file', 'bad_input', '');
insert into kinds (kind, says) values ('master', ''), ('science', ''), ('reference', '');
insert into nights (site, night, begins, ends) values ('demo', '2026-01-15', '2026-01-15T20:00Z', '2026-01-16T20:00Z');
insert into exposures (instrument, exposure_id, site, night, ut_day, image_type, field, filter, exposure_s,
    shutter_open, detectors_expected)
values ('democam', '1', 'demo', '2026-01-15', '2026-01-16', 'science', 101, 'g', 30, '2026-01-16T08:00Z', '{1}');
insert into arrivals (arrival_key, inbox_name, bytes, sha256, disposition, reason, site, night, instrument,
    exposure_id, detector)
values ('one', 'one.fits', 5, repeat('a', 64), 'registered', null, 'demo', '2026-01-15', 'democam', '1', 1),
    ('broken', 'broken.fits', 4, repeat('b', 64), 'quarantined', 'truncated_file', 'demo', '2026-01-16', null, null,
     null);
insert into raw_frames (instrument, exposure_id, detector, arrival_key, inbox_name, path, sha256, bytes, header)
values ('democam', '1', 1, 'one', 'one.fits', 'raw/one.fits', repeat('a', 64), 5, '{}');
insert into manifests (site, night, part, parts, sha256, path) values ('demo', '2026-01-15', 1, 1, repeat('c', 64), 'm');
insert into manifest_entries (site, night, part, file_name, bytes, sha256)
values ('demo', '2026-01-15', 1, 'one.fits', 5, repeat('a', 64)),
    ('demo', '2026-01-15', 1, 'broken.fits', 5, repeat('d', 64));
insert into units (instrument, exposure_id, detector, quadrant, unit_key, state, ended_at)
values ('democam', '1', 1, 1, 'democam/1/d01/q1/processed/live', 'processed', now());
insert into jobs (job_key, kind, subject, site, night)
values ('m', 'master', 'm', 'demo', '2026-01-15'), ('s', 'science', 's', 'demo', '2026-01-15'),
    ('r', 'reference', 'r', 'demo', '2026-01-15');
insert into submissions (job_key, submission, name, runner, job_file, tasks)
values ('m', 1, 'm1', 'local', 'm.json', 1), ('s', 1, 's1', 'local', 's.json', 1), ('r', 1, 'r1', 'local', 'r.json', 1);
insert into attempts (job_key, unit_key, attempt, submission, task_index, token, folder, state)
values ('m', 'bias/democam/d01/q1/-/20260115/e1/v1', 1, 1, 0, 'tm', 'fm', 'succeeded'),
    ('s', 'democam/1/d01/q1/processed/live', 1, 1, 0, 'ts', 'fs', 'succeeded'),
    ('r', 'reference/000101/democam/d01/q1/g/v1', 1, 1, 0, 'tr', 'fr', 'succeeded');
insert into products (product_key, kind, unit_key, site, night, path, sha256, bytes, code_version, settings_hash,
    job_key, attempt)
values ('bias/democam/d01/q1/-/20260115/e1/v1/bias', 'bias', 'bias/democam/d01/q1/-/20260115/e1/v1', 'demo',
        '2026-01-15', 'calibrations/b.fits', repeat('e', 64), 5, '0', '0', 'm', 1),
    ('democam/1/d01/q1/processed/live/calibrated', 'calibrated', 'democam/1/d01/q1/processed/live', 'demo',
        '2026-01-15', 'processed/c.fits', repeat('e', 64), 5, '0', '0', 's', 1),
    ('reference/000101/democam/d01/q1/g/v1/reference', 'reference', 'reference/000101/democam/d01/q1/g/v1', 'demo',
        '2026-01-15', 'references/r.fits', repeat('e', 64), 5, '0', '0', 'r', 1);
insert into product_inputs (product_key, role, input_key, sha256)
values ('democam/1/d01/q1/processed/live/calibrated', 'bias', 'bias/democam/d01/q1/-/20260115/e1/v1/bias',
        repeat('e', 64)),
    ('reference/000101/democam/d01/q1/g/v1/reference', 'calibrated', 'democam/1/d01/q1/processed/live/calibrated',
        repeat('e', 64));
insert into calibrations (kind, instrument, detector, quadrant, night, calibration_key, state, product_key, valid_from)
values ('bias', 'democam', 1, 1, '2026-01-15', 'bias/democam/d01/q1/-/20260115/e1/v1', 'in_service',
    'bias/democam/d01/q1/-/20260115/e1/v1/bias', '2026-01-15T20:00Z');
insert into calibration_frames (calibration_key, instrument, exposure_id, detector, accepted)
values ('bias/democam/d01/q1/-/20260115/e1/v1', 'democam', '1', 1, true);
insert into reference_images (field, instrument, detector, quadrant, filter, version, reference_key, state,
    product_key, valid_from)
values (101, 'democam', 1, 1, 'g', 1, 'reference/000101/democam/d01/q1/g/v1', 'in_service',
    'reference/000101/democam/d01/q1/g/v1/reference', '2026-01-15T20:00Z');
insert into reference_members (reference_key, unit_key, position, weight)
values ('reference/000101/democam/d01/q1/g/v1', 'democam/1/d01/q1/processed/live', 1, 1);
insert into differences (unit_key, reference_key, state, candidates, ended_at)
values ('democam/1/d01/q1/processed/live', 'reference/000101/democam/d01/q1/g/v1', 'processed', 1, now());
select make_candidates_partition('2026-01-16T08:00Z');
insert into objects (object_id, site, ra_deg, dec_deg, first_candid, first_seen, last_seen)
values ('NS26aaaaaaa', 'demo', 150, 22, 1, '2026-01-16T08:00Z', '2026-01-16T08:00Z');
insert into candidates (candid, shutter_open, unit_key, campaign, reference_key, number, processing_id, object_id,
    site, night, field, filter, ra_deg, dec_deg, x, y, positive, signal_to_noise, magnitude, magnitude_error, record)
values (1, '2026-01-16T08:00Z', 'democam/1/d01/q1/processed/live', 'live', 'reference/000101/democam/d01/q1/g/v1', 1,
    1, 'NS26aaaaaaa', 'demo', '2026-01-15', 101, 'g', 150, 22, 10, 10, true, 20, 18, 0.1, '{}');
insert into alerts (candid, shutter_open, object_id, unit_key, campaign, site, night, state, schema_version,
    packet_path, packet_bytes, packet_sha256)
values (1, '2026-01-16T08:00Z', 'NS26aaaaaaa', 'democam/1/d01/q1/processed/live', 'live', 'demo', '2026-01-15', 'sent',
    '4.02', 'alerts/a.tar', 5, repeat('f', 64));
