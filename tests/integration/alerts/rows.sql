insert into nights (site, night, begins, ends) values ('demo', %(night)s, %(begins)s, %(ends)s) on conflict do nothing;
insert into exposures (instrument, exposure_id, site, night, ut_day, image_type, field, filter, exposure_s,
                       shutter_open, detectors_expected)
values ('democam', %(exposure_id)s, 'demo', %(night)s, %(ut_day)s, 'science', %(field)s, %(filter)s, 30,
        %(shutter_open)s, '{1,2}') on conflict do nothing;
insert into units (instrument, exposure_id, detector, quadrant, night, unit_key, state, ended_at)
values ('democam', %(exposure_id)s, %(detector)s, %(quadrant)s, %(night)s, %(unit_key)s, 'processed', now())
on conflict do nothing;
insert into image_measurements (unit_key, night, instrument, exposure_id, detector, quadrant, good, corners_deg, values)
select %(unit_key)s, %(night)s, 'democam', %(exposure_id)s, %(detector)s, %(quadrant)s, true, %(corners)s,
       array_agg(n.number order by m.position)
from measurements m
left join (values ('zero_point', 26.25), ('zero_point_rms', 0.03), ('stars_matched', 77)) as n (name, number)
    using (name)
on conflict do nothing;
insert into reference_images (field, instrument, detector, quadrant, filter, version, campaign, reference_key, state,
                              reason, frames)
values (%(field)s, 'democam', %(detector)s, %(quadrant)s, %(filter)s, 1, 'live', %(reference_key)s, 'built', null, 6)
on conflict do nothing;
insert into differences (unit_key, night, reference_key, state, reason, limiting_magnitude, ended_at)
values (%(unit_key)s, %(night)s, %(reference_key)s, %(state)s::unit_state,
        case when %(state)s = 'processed' then null else 'difference_failed' end, 20.5, now())
on conflict do nothing;
insert into candidates (candid, shutter_open, unit_key, campaign, reference_key, number, processing_id, site, night,
                        field, filter, ra_deg, dec_deg, x, y, positive, signal_to_noise, magnitude, magnitude_error,
                        layout, numbers, singles, texts)
select %(candid)s, %(shutter_open)s, %(unit_key)s, 'live', %(reference_key)s, %(number)s, %(pid)s, 'demo', %(night)s,
        %(field)s, %(filter)s, %(ra_deg)s, %(dec_deg)s, %(x)s, %(y)s, true, %(signal_to_noise)s, %(magnitude)s,
        %(error)s, p.layout, p.numbers, p.singles, p.texts
from pack_record(%(record)s, '{}', '{}') p on conflict do nothing;
insert into jobs (job_key, kind, subject, site, night) values (%(job_key)s, 'science', 'test', 'demo', %(night)s)
on conflict do nothing;
insert into products (product_key, leaves_with, kind, unit_key, site, night, path, sha256, bytes, code_version, settings_hash,
                      job_key, attempt)
values (%(product_key)s, %(night)s, 'cutouts', %(unit_key)s, 'demo', %(night)s, %(path)s, %(sha256)s, %(bytes)s, 'test', 'test',
        %(job_key)s, 1) on conflict do nothing;
