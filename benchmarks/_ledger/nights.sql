-- The nights `newest` to `oldest` before the open one, whose number is 0: all of what polls and pages read of history.
insert into nights (site, night, begins, ends, state, closed_at)
select 'palomar', %(evening)s::date - n, (%(evening)s::date - n) + time '20:00', (%(evening)s::date - n + 1) + time '20:00',
    case n when 0 then 'open' else 'closed' end::night_state, case n when 0 then null else now() end
from generate_series(%(newest)s, %(oldest)s) n;
-- no trigger fires while the ledger is filled
select make_month(night), make_month(begins), make_month(ends) from nights;
-- each field is visited once a filter in every few nights; new fields, without a reference, in four nights
insert into exposures (instrument, exposure_id, site, night, ut_day, image_type, field, filter, exposure_s, shutter_open,
    ra_deg, dec_deg, airmass, detectors_expected, state, ended_at)
select 'ztf', to_char(t.shutter, 'YYYYMMDDHH24MISS'), 'palomar', t.night, t.night + 1, 'science',
    case when i %% %(half)s < %(new)s then %(fields)s + 1 + (n / 4) * %(new)s + i %% %(half)s
        else 1 + (n * %(half)s + i %% %(half)s) %% %(fields)s end,
    case when i < %(half)s then 'zg' else 'zr' end, 30, t.shutter, (i * 7.3)::numeric %% 360, i %% 60, 1.2,
    array(select d::smallint from generate_series(1, %(detectors)s) d),
    case when n = 0 and i >= 2 * %(half)s - %(waiting)s then 'arriving' else 'ended' end::exposure_state,
    case when n = 0 and i >= 2 * %(half)s - %(waiting)s then null else t.shutter + interval '1 minute' end
from generate_series(%(newest)s, %(oldest)s) n cross join generate_series(0, 2 * %(half)s - 1) i
cross join lateral (select %(evening)s::date - n as night,
    (%(evening)s::date - n + 1 + time '03:00' + i * interval '38 s') at time zone 'UTC' as shutter) t
order by t.shutter;
insert into exposures (instrument, exposure_id, site, night, ut_day, image_type, filter, exposure_s, shutter_open,
    sequence, sequence_index, sequence_length, detectors_expected, state, ended_at)
select 'ztf', to_char(t.shutter, 'YYYYMMDDHH24MISS'), 'palomar', t.night, t.night + 1,
    case when i < 20 then 'bias' else 'flat' end::image_type, case when i < 20 then '' when i < 40 then 'zg' else 'zr' end,
    0, t.shutter, 's' || i / 20, i %% 20 + 1, 20, array(select d::smallint from generate_series(1, %(detectors)s) d),
    'ended', now()
from generate_series(%(newest)s, %(oldest)s) n cross join generate_series(0, 59) i
cross join lateral (select %(evening)s::date - n as night,
    (%(evening)s::date - n + time '22:00' + i * interval '40 s') at time zone 'UTC' as shutter) t
order by t.shutter;
insert into units (instrument, exposure_id, detector, quadrant, night, unit_key, state, ended_at)
select e.instrument, e.exposure_id, d, q, e.night, 'ztf/' || e.exposure_id || '/d' || lpad(d::text, 2, '0') || '/q' || q || '/processed/live',
    case when e.state = 'ended' then 'processed' else 'pending' end::unit_state, e.ended_at
from exposures e cross join generate_series(1, %(detectors)s) d cross join generate_series(1, %(quadrants)s) q
where e.image_type = 'science' and e.night between %(evening)s::date - %(oldest)s and %(evening)s::date - %(newest)s
order by e.shutter_open, d, q;
insert into image_measurements (unit_key, night, instrument, exposure_id, detector, quadrant, good, corners_deg, values)
select u.unit_key, u.night, u.instrument, u.exposure_id, u.detector, u.quadrant, true,
    array[e.ra_deg, e.dec_deg, e.ra_deg, e.dec_deg, e.ra_deg, e.dec_deg, e.ra_deg, e.dec_deg],
    array(select 2 + u.quadrant / m.position::double precision from measurements m order by m.position)
from exposures e join units u using (instrument, exposure_id, night)
where u.state = 'processed' and night between %(evening)s::date - %(oldest)s and %(evening)s::date - %(newest)s
    and night > %(evening)s::date - %(measured)s;
insert into differences (unit_key, night, reference_key, state, candidates, noise_ratio, limiting_magnitude, quality, ended_at, released_at)
select u.unit_key, u.night, 'reference/' || lpad(e.field::text, 6, '0') || '/ztf/d' || lpad(u.detector::text, 2, '0') || '/q' || u.quadrant
        || '/' || e.filter || '/v1/live',
    'processed', %(candidates)s, 1.0, 20.5, '{"stamps": 12}', u.ended_at, u.ended_at
from exposures e join units u using (instrument, exposure_id, night)
where u.state = 'processed' and (e.field <= %(fields)s or e.field > %(fields)s + %(new)s)
    and night between %(evening)s::date - %(oldest)s and %(evening)s::date - %(newest)s
    and night > %(evening)s::date - %(measured)s;
insert into calibrations (kind, instrument, detector, quadrant, filter, night, campaign, calibration_key, state, product_key, frames, valid_from)
select k.kind::calibration_kind, 'ztf', d, q, k.filter, n.night, 'live',
    k.kind || '/ztf/d' || lpad(d::text, 2, '0') || '/q' || q || '/' || k.filter || '/' || to_char(n.night, 'YYYYMMDD') || '/e1/v1/live',
    'in_service', 'none', 20, n.begins
from nights n cross join (values ('bias', ''), ('flat', 'zg'), ('flat', 'zr')) k (kind, filter)
cross join generate_series(1, %(detectors)s) d cross join generate_series(1, %(quadrants)s) q
where n.night between %(evening)s::date - %(oldest)s and %(evening)s::date - %(newest)s;
insert into runs (run_id, dag_id, subject, conf, requested_at, ended_at)
select 'exposure__' || exposure_id, 'exposure', 'science/' || exposure_id,
    jsonb_build_object('instrument', instrument, 'exposure_id', exposure_id), shutter_open, shutter_open
from exposures where image_type = 'science' and state = 'ended'
    and night between %(evening)s::date - %(oldest)s and %(evening)s::date - %(newest)s;
insert into jobs (job_key, kind, subject, site, night, ended_at)
select 'science/' || exposure_id, 'science', exposure_id, site, night, ended_at
from exposures where image_type = 'science' and state = 'ended'
    and night between %(evening)s::date - %(oldest)s and %(evening)s::date - %(newest)s;
insert into submissions (job_key, submission, night, name, runner, airflow_run, job_file, tasks, ended_at)
select 'science/' || exposure_id, 1, night, 'science__' || exposure_id, 'slurm', 'exposure__' || exposure_id, 'work/' || exposure_id,
    %(detectors)s, ended_at
from exposures where image_type = 'science' and state = 'ended'
    and night between %(evening)s::date - %(oldest)s and %(evening)s::date - %(newest)s;
