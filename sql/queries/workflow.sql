-- What is due, what was asked for, what runs, and what became of it.

-- name: lock_subject
-- One at a time for one subject; released with the transaction.
select pg_advisory_xact_lock(hashtextextended(:subject, 0));

-- Runs -------------------------------------------------------------------------------------------------------

-- name: runs_of
-- How often each subject was asked for, and whether a run of it is still under way.
select subject, count(*)::integer as times,
    bool_or(ended_at is null and steady_age_s(requested_at) < :stale_s) as under_way
from runs where subject = any (:subjects::text[]) group by subject;

-- name: put_run!
insert into runs (run_id, dag_id, subject, conf) values (:run_id, :dag_id, :subject, :conf)
on conflict (run_id) do nothing;

-- name: end_runs!
update runs set ended_at = now() where subject = :subject and ended_at is null;

-- name: mark_exposure_running!
update exposures set state = 'running', run_id = :run_id
where instrument = :instrument and exposure_id = :exposure_id and state = 'arriving';

-- name: mark_set_running!
update exposures set state = 'running', run_id = :run_id
where instrument = :instrument and night = :night and image_type = :kind::image_type and filter = :filter
    and state = 'arriving';

-- name: mark_night_closing!
update nights set state = 'closing', closing_since = now(), signal = :signal
where site = :site and night = :night and state = 'open';

-- Calibration sets -------------------------------------------------------------------------------------------

-- name: calibration_sets
-- The sets (night, kind, filter, instrument) of every night of which something has not ended. A frame that a master
-- has judged for every quadrant needs no other, though nobody may have come to end its exposure yet.
with frames as (
    select e.site, e.night, e.instrument, e.image_type, e.filter, e.sequence, e.sequence_index, e.sequence_length,
        e.first_arrival_at, e.last_arrival_at,
        cardinality(e.detectors_expected) <= (
            select count(*) from raw_frames r
            where r.instrument = e.instrument and r.exposure_id = e.exposure_id) as whole,
        e.state = 'ended' or (
            select count(distinct (f.detector, c.quadrant))
            from calibration_frames f join calibrations c using (calibration_key)
            join raw_frames r on r.instrument = f.instrument and r.exposure_id = f.exposure_id
                and r.detector = f.detector
            where f.instrument = e.instrument and f.exposure_id = e.exposure_id and r.invalid_reason is null
        ) >= greatest(1, :quadrants * (
            select count(*) from raw_frames r
            where r.instrument = e.instrument and r.exposure_id = e.exposure_id and r.invalid_reason is null
        )) as judged
    from exposures e
    where e.image_type in ('bias', 'dark', 'flat')
        and (e.site, e.night) in (select x.site, x.night from exposures x where x.state <> 'ended')
), sequences as (
    select site, night, instrument, image_type, filter, sequence,
        count(*) filter (where not judged) as unended,
        max(last_arrival_at) as last_arrival_at,
        coalesce(bool_and(whole and sequence_length is not null)
            and count(distinct sequence_index) >= max(sequence_length), false) as complete
    from frames group by site, night, instrument, image_type, filter, sequence
), sets as (
    select site, night, instrument, image_type, filter, sum(unended)::integer as unended,
        max(last_arrival_at) as last_arrival_at, bool_and(complete) as complete
    from sequences group by site, night, instrument, image_type, filter
), detectors as (
    select e.night, e.instrument, e.image_type, e.filter, count(distinct r.detector)::integer as detectors
    from exposures e join raw_frames r using (instrument, exposure_id)
    where e.night in (select night from sets)
    group by e.night, e.instrument, e.image_type, e.filter
), masters as (
    select distinct on (c.night, c.instrument, c.kind, c.filter)
        c.night, c.instrument, c.kind, c.filter, c.version, count(*)::integer as masters
    from calibrations c
    where c.night in (select night from sets)
    group by c.night, c.instrument, c.kind, c.filter, c.version
    order by c.night, c.instrument, c.kind, c.filter, c.version desc
)
select s.site, s.night, s.instrument, s.image_type::text as kind, s.filter, s.unended, s.complete,
    steady_age_s(s.last_arrival_at) as quiet_s,
    coalesce(d.detectors, 0) as detectors, coalesce(m.version, 0)::integer as version,
    coalesce(m.masters, 0) as masters,
    steady_age_s(greatest(s.last_arrival_at, (
        select max(r.requested_at) from runs r
        where r.dag_id = 'calibrations' and r.conf ->> 'instrument' = s.instrument
            and r.conf ->> 'night' = s.night::text and r.conf ->> 'kind' = s.image_type::text
            and coalesce(r.conf ->> 'filter', '') = s.filter))) as still_s
from sets s
left join detectors d using (night, instrument, image_type, filter)
left join masters m on m.night = s.night and m.instrument = s.instrument
    and m.kind::text = s.image_type::text and m.filter = s.filter
order by s.night, s.instrument, s.image_type, s.filter;

-- name: frames_of_set
-- With the filter that the frame's sequence was meant to be in: another than its own where it is one of few strays.
with shares as (
    select e.sequence, e.filter, count(*) as exposures
    from exposures e
    where e.instrument = :instrument and e.night = :night and e.image_type = :kind::image_type
        and e.sequence is not null
    group by e.sequence, e.filter
)
select r.instrument, r.exposure_id, r.detector, r.path, r.sha256, e.filter, e.exposure_s, e.shutter_open, e.site,
    coalesce((
        select other.filter from shares own join shares other using (sequence)
        where own.sequence = e.sequence and own.filter = e.filter and other.exposures >= 3 * own.exposures
        order by other.exposures desc, other.filter limit 1), e.filter) as meant_filter,
    coalesce((select o.verdict = 'accept' from overrides o
        where o.subject = r.instrument || '/' || r.exposure_id || '/d'
            || case when r.detector < 10 then '0' else '' end || r.detector
        order by o.override_id desc limit 1), false) as accepted
from exposures e join raw_frames r using (instrument, exposure_id)
where e.instrument = :instrument and e.night = :night and e.image_type = :kind::image_type
    and e.filter = :filter and r.invalid_reason is null
order by r.detector, e.shutter_open, r.exposure_id;

-- name: end_set!
-- A calibration exposure has ended when every quadrant of every usable frame of it was judged.
update exposures e set state = 'ended', ended_at = now()
where e.instrument = :instrument and e.night = :night and e.image_type = :kind::image_type and e.filter = :filter
    and e.state <> 'ended'
    and (select count(distinct (f.detector, c.quadrant))
         from calibration_frames f join calibrations c using (calibration_key)
         join raw_frames r on r.instrument = f.instrument and r.exposure_id = f.exposure_id
            and r.detector = f.detector and r.invalid_reason is null
         where f.instrument = e.instrument and f.exposure_id = e.exposure_id)
      >= :quadrants * (select count(*) from raw_frames r
         where r.instrument = e.instrument and r.exposure_id = e.exposure_id and r.invalid_reason is null);

-- name: masters_in_reach
-- The newest usable master of each kind and quadrant, of the night itself or of a night not too long before it.
select distinct on (c.kind, c.detector, c.quadrant)
    c.kind::text as kind, c.detector, c.quadrant, c.calibration_key, c.night = :night as own,
    p.product_key, p.path, p.sha256
from calibrations c join products p using (product_key)
where c.instrument = :instrument and c.state = 'in_service' and p.deleted_at is null
    and (c.kind <> 'flat' or c.filter = :filter)
    and c.night between :oldest and :night
order by c.kind, c.detector, c.quadrant, c.night desc, c.epoch desc, c.version desc;

-- name: last_masters
-- The last good master before this night, however old within its epoch, to compare a new one with.
select distinct on (c.detector, c.quadrant) c.detector, c.quadrant, p.product_key, p.path, p.sha256
from calibrations c join products p using (product_key)
where c.instrument = :instrument and c.state = 'in_service' and p.deleted_at is null
    and c.kind = :kind::calibration_kind and c.filter = :filter and c.night < :night and c.night >= :oldest
order by c.detector, c.quadrant, c.night desc, c.epoch desc, c.version desc;

-- name: masters_of_version
select calibration_key from calibrations
where instrument = :instrument and night = :night and kind = :kind::calibration_kind and filter = :filter
    and version = :version;

-- name: put_calibration!
insert into calibrations (kind, instrument, detector, quadrant, filter, night, epoch, version, calibration_key, state,
    reason, detail, product_key, frames, level, noise, read_noise, gain, gain_error, valid_from)
values (:kind::calibration_kind, :instrument, :detector, :quadrant, :filter, :night, :epoch, :version,
    :calibration_key, :state::calibration_state, :reason, :detail, :product_key, :frames, :level, :noise, :read_noise,
    :gain, :gain_error, :valid_from)
on conflict (calibration_key) do nothing;

-- name: put_calibration_frames!
insert into calibration_frames (calibration_key, instrument, exposure_id, detector, accepted, reason, level)
select :calibration_key, f.instrument, f.exposure_id, f.detector, f.accepted, f.reason, f.level
from jsonb_to_recordset((:frames)::jsonb -> 'rows')
    as f (instrument text, exposure_id text, detector smallint, accepted boolean, reason text,
          level double precision)
on conflict do nothing;

-- name: release_held!
-- A master came after all: what was held for the lack of one is due again.
update units u set state = 'pending', reason = null, detail = '', ended_at = null
from exposures e
where e.instrument = u.instrument and e.exposure_id = u.exposure_id
    and e.instrument = :instrument and e.night = :night and (:filter = '' or e.filter = :filter)
    and u.detector = :detector and u.quadrant = :quadrant
    and u.state = 'held' and u.reason = 'calibration_missing';

-- name: reopen_exposures!
update exposures e set state = 'arriving', ended_at = null
where e.instrument = :instrument and e.night = :night and e.state = 'ended'
    and exists (select from units u where u.instrument = e.instrument and u.exposure_id = e.exposure_id
        and u.state = 'pending');

-- Exposures --------------------------------------------------------------------------------------------------

-- name: waiting_exposures
-- Science exposures of which some unit has not been worked on, in shutter order.
select e.instrument, e.exposure_id, e.site, e.night, e.field, e.filter, e.shutter_open, e.state::text as state,
    steady_age_s(e.first_arrival_at) as age_s,
    cardinality(e.detectors_expected) as expected,
    (select array_agg(r.detector order by r.detector) from raw_frames r
     where r.instrument = e.instrument and r.exposure_id = e.exposure_id) as detectors
from exposures e
where e.image_type = 'science' and e.state <> 'ended'
    and exists (select from units u where u.instrument = e.instrument and u.exposure_id = e.exposure_id
        and u.state = 'pending' and u.campaign = 'live')
order by e.shutter_open, e.exposure_id;

-- name: unended_of_fields
-- Every science exposure that has not ended and lies on a field.
select instrument, exposure_id, field, filter, shutter_open
from exposures
where image_type = 'science' and state <> 'ended' and field is not null
order by shutter_open, exposure_id;

-- name: own_catalogues
-- The first good frame of each quadrant, field and filter that was reduced without a catalogue.
select distinct on (e.field, e.filter, u.instrument, u.detector, u.quadrant)
    e.field, e.filter, u.instrument, u.detector, u.quadrant, p.product_key, p.path, p.sha256
from units u
join exposures e using (instrument, exposure_id)
join image_quality q using (unit_key)
join products p on p.unit_key = u.unit_key and p.kind = 'sources'
where e.field = any (:fields::integer[]) and u.instrument = :instrument and u.campaign = 'live'
    and u.state = 'processed' and q.good and p.deleted_at is null
    and not exists (select from product_inputs i where i.product_key = p.product_key and i.role = 'catalogue')
order by e.field, e.filter, u.instrument, u.detector, u.quadrant, e.shutter_open, e.exposure_id;

-- name: exposure
select e.*, e.image_type::text as image_type, e.state::text as state
from exposures e where e.instrument = :instrument and e.exposure_id = :exposure_id;

-- name: units_to_do
-- With whether a person accepted the unit or its frame, whatever the checks say.
select u.unit_key, u.detector, u.quadrant, r.path, r.sha256,
    coalesce((select o.verdict = 'accept' from overrides o
        where o.subject in (u.unit_key, substring(u.unit_key from '^[^/]+/[^/]+/[^/]+'))
        order by o.override_id desc limit 1), false) as accepted
from units u
join raw_frames r using (instrument, exposure_id, detector)
where u.instrument = :instrument and u.exposure_id = :exposure_id and u.campaign = :campaign
    and u.state = 'pending' and r.invalid_reason is null
order by u.detector, u.quadrant;

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

-- name: reject_invalid_units!
-- The file behind them was found to be another than the one that was sent.
update units u set state = 'rejected', reason = r.invalid_reason, detail = 'found before it was reduced',
    ended_at = now()
from raw_frames r
where r.instrument = u.instrument and r.exposure_id = u.exposure_id and r.detector = u.detector
    and u.instrument = :instrument and u.exposure_id = :exposure_id
    and u.state = 'pending' and r.invalid_reason is not null;

-- name: set_unit_running!
update units set state = 'running' where unit_key = any (:unit_keys::text[]) and state = 'pending';

-- name: end_unit!
update units set state = :state::unit_state, reason = :reason, detail = :detail, flags = :flags::text[],
    ended_at = now()
where unit_key = :unit_key and state in ('pending', 'running');

-- name: return_unit!
update units set state = 'pending' where unit_key = :unit_key and state = 'running';

-- name: end_exposure!
-- An exposure has ended when every unit of it has.
update exposures e set state = 'ended', ended_at = now()
where e.instrument = :instrument and e.exposure_id = :exposure_id and e.state <> 'ended'
    and not exists (select from units u where u.instrument = e.instrument and u.exposure_id = e.exposure_id
        and u.state in ('pending', 'running'));

-- name: put_image_quality!
insert into image_quality (unit_key, instrument, exposure_id, detector, quadrant, fwhm_px, elongation, background,
    background_rms, zero_point, zero_point_rms, stars_matched, astrometry_rms_arcsec, pointing_offset_arcsec,
    limiting_magnitude, sources, saturated_fraction, masked_fraction, cosmic_ray_pixels, good, warnings, corners_deg,
    same_value_fraction, thousands_fraction, read_noise_ratio, pattern_noise, trails, psf_stars, zero_point_stars,
    zero_point_uncertainty, zero_point_zenith, colour_term)
values (:unit_key, :instrument, :exposure_id, :detector, :quadrant, :fwhm_px, :elongation, :background,
    :background_rms, :zero_point, :zero_point_rms, :stars_matched, :astrometry_rms_arcsec, :pointing_offset_arcsec,
    :limiting_magnitude, :sources, :saturated_fraction, :masked_fraction, :cosmic_ray_pixels, :good,
    :warnings::text[], :corners_deg::double precision[], :same_value_fraction, :thousands_fraction,
    :read_noise_ratio, :pattern_noise, :trails, :psf_stars, :zero_point_stars, :zero_point_uncertainty,
    :zero_point_zenith, :colour_term)
on conflict (unit_key) do update set
    fwhm_px = excluded.fwhm_px, elongation = excluded.elongation, background = excluded.background,
    background_rms = excluded.background_rms, zero_point = excluded.zero_point,
    zero_point_rms = excluded.zero_point_rms, stars_matched = excluded.stars_matched,
    astrometry_rms_arcsec = excluded.astrometry_rms_arcsec,
    pointing_offset_arcsec = excluded.pointing_offset_arcsec,
    limiting_magnitude = excluded.limiting_magnitude, sources = excluded.sources,
    saturated_fraction = excluded.saturated_fraction, masked_fraction = excluded.masked_fraction,
    cosmic_ray_pixels = excluded.cosmic_ray_pixels, good = excluded.good, warnings = excluded.warnings,
    corners_deg = excluded.corners_deg, same_value_fraction = excluded.same_value_fraction,
    thousands_fraction = excluded.thousands_fraction, read_noise_ratio = excluded.read_noise_ratio,
    pattern_noise = excluded.pattern_noise, trails = excluded.trails, psf_stars = excluded.psf_stars,
    zero_point_stars = excluded.zero_point_stars, zero_point_uncertainty = excluded.zero_point_uncertainty,
    zero_point_zenith = excluded.zero_point_zenith, colour_term = excluded.colour_term;

-- References -------------------------------------------------------------------------------------------------

-- name: references_due
-- Quadrants without any reference that have enough good frames, where no earlier frame is still to be reduced.
with good as (
    select e.field, e.filter, u.instrument, u.detector, u.quadrant, e.shutter_open, e.exposure_id, e.site, e.night,
        row_number() over (partition by e.field, e.filter, u.instrument, u.detector, u.quadrant
            order by e.shutter_open, e.exposure_id) as place
    from units u
    join exposures e using (instrument, exposure_id)
    join image_quality q using (unit_key)
    where u.state = 'processed' and q.good and u.campaign = 'live' and u.tier = 'processed'
        and e.field is not null
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

-- Differences ------------------------------------------------------------------------------------------------

-- name: differences_due
-- Exposures that were reduced before their reference came into service, in shutter order.
select e.instrument, e.exposure_id, e.shutter_open, max(r.version)::integer as version
from exposures e
join nights n using (site, night)
join units u using (instrument, exposure_id)
join reference_images r on r.field = e.field and r.instrument = u.instrument and r.detector = u.detector
    and r.quadrant = u.quadrant and r.filter = e.filter
where e.image_type = 'science' and e.state = 'ended' and n.state in ('open', 'closing')
    and u.state = 'processed' and u.campaign = 'live' and r.state = 'in_service'
    and r.valid_from <= e.shutter_open and (r.valid_to is null or r.valid_to > e.shutter_open)
    and not exists (select from differences d where d.unit_key = u.unit_key and d.campaign = u.campaign)
group by e.instrument, e.exposure_id, e.shutter_open
order by e.shutter_open, e.exposure_id;

-- name: units_to_difference
select u.unit_key, u.detector, u.quadrant,
    c.product_key as calibrated_key, c.path as calibrated_path, c.sha256 as calibrated_sha256,
    s.product_key as sources_key, s.path as sources_path, s.sha256 as sources_sha256
from units u
join products c on c.unit_key = u.unit_key and c.kind = 'calibrated'
join products s on s.unit_key = u.unit_key and s.kind = 'sources'
where u.instrument = :instrument and u.exposure_id = :exposure_id and u.campaign = :campaign
    and u.state = 'processed' and c.deleted_at is null and s.deleted_at is null
    and not exists (select from differences d where d.unit_key = u.unit_key and d.campaign = u.campaign)
order by u.detector, u.quadrant;

-- name: is_member
select 1 from reference_members where reference_key = :reference_key and unit_key = :unit_key;

-- name: put_difference
-- One without candidates has nothing that awaits its turn.
insert into differences (unit_key, reference_key, campaign, state, reason, detail, product_key, candidates,
    noise_ratio, limiting_magnitude, quality, ended_at, turn, released_at)
values (:unit_key, :reference_key, :campaign, :state::unit_state, :reason, :detail, :product_key, :candidates,
    :noise_ratio, :limiting_magnitude, :quality, now(), turn_of(:unit_key, :reference_key),
    case when :candidates = 0 or :state <> 'processed' then now() end)
on conflict do nothing
returning unit_key;

-- name: campaign_number
select number from campaigns where campaign = :campaign;

-- name: make_candidates_partition
select make_candidates_partition(:shutter_open);

-- name: put_candidates!
insert into candidates (candid, shutter_open, unit_key, campaign, reference_key, number, processing_id, site, night,
    field, filter, ra_deg, dec_deg, x, y, positive, signal_to_noise, magnitude, magnitude_error, record)
select c.candid, :shutter_open, :unit_key, :campaign, :reference_key, c.number, :processing_id, :site, :night,
    :field, :filter, c.ra_deg, c.dec_deg, c.x, c.y, c.positive, c.signal_to_noise, c.magnitude, c.magnitude_error,
    c.record
from jsonb_to_recordset((:candidates)::jsonb -> 'rows')
    as c (candid bigint, number smallint, ra_deg double precision, dec_deg double precision, x double precision,
          y double precision, positive boolean, signal_to_noise real, magnitude real, magnitude_error real,
          record jsonb)
on conflict (shutter_open, candid) do nothing;

-- Moving objects ---------------------------------------------------------------------------------------------

-- name: detections_of_night
select c.candid, c.ra_deg, c.dec_deg, c.magnitude, c.signal_to_noise, c.unit_key, c.shutter_open, e.exposure_s
from candidates c
join units u using (unit_key)
join exposures e on e.instrument = u.instrument and e.exposure_id = u.exposure_id
where c.site = :site and c.night = :night and c.campaign = :campaign and c.positive and u.state = 'processed'
    and c.signal_to_noise >= :signal_to_noise
order by c.shutter_open, c.candid;

-- name: delete_tracklets!
delete from tracklets where site = :site and night = :night and campaign = :campaign;

-- name: put_tracklet!
insert into tracklets (site, night, campaign, number, tracklet_key, detections, begins, ends, ra_deg, dec_deg,
    rate_deg_per_day, position_angle_deg, residual_arcsec, magnitude)
values (:site, :night, :campaign, :number, :tracklet_key, :detections, :begins, :ends, :ra_deg, :dec_deg,
    :rate_deg_per_day, :position_angle_deg, :residual_arcsec, :magnitude);

-- name: put_tracklet_members!
insert into tracklet_members (tracklet_key, candid, position, residual_arcsec)
select :tracklet_key, m.candid, m.position, m.residual_arcsec
from jsonb_to_recordset((:members)::jsonb -> 'rows')
    as m (candid bigint, position smallint, residual_arcsec double precision);

-- Nights -----------------------------------------------------------------------------------------------------

-- name: nights_to_close
-- Open nights whose manifest is complete, or whose noon has passed while nothing comes any more; and closed ones of
-- which something came or was reduced since, once nothing has come for a while.
select n.site, n.night,
    case when n.state <> 'open' then coalesce(n.signal, 'clock') when m.complete then 'manifest' else 'clock' end as signal
from nights n
left join lateral (
    select coalesce(count(*) > 0 and count(*) >= max(x.parts), false) as complete
    from manifests x where x.site = n.site and x.night = n.night) m on true
left join lateral (
    select coalesce(steady_age_s(max(a.arrived_at)) < :quiet_s, false) as lately
    from arrivals a where a.site = n.site and a.night = n.night and (n.state = 'open' or n.changed)) came on true
where n.site = :site and case n.state
    when 'open' then m.complete or (n.ends <= :now and not came.lately)
    when 'closing' then false
    else n.changed and not came.lately end
order by n.night;

-- Jobs, submissions, attempts --------------------------------------------------------------------------------

-- name: put_job!
insert into jobs (job_key, kind, subject, campaign, site, night)
values (:job_key, :kind::job_kind, :subject, :campaign, :site, :night)
on conflict (job_key) do nothing;

-- name: attempts_of_job
-- With whether a person has accepted the unit or its frame since: then what was before says nothing any more.
select a.unit_key, a.attempt, a.state::text as state, a.reason, a.error_class::text as error_class,
    exists (select from overrides o
        where o.subject in (a.unit_key, substring(a.unit_key from '^[^/]+/[^/]+/[^/]+'))
            and o.verdict = 'accept' and o.made_at > a.created_at) as overruled
from attempts a where a.job_key = :job_key order by a.unit_key, a.attempt;

-- name: next_submission
select (coalesce(max(submission), 0) + 1)::integer as submission from submissions where job_key = :job_key;

-- name: put_submission!
insert into submissions (job_key, submission, name, runner, airflow_run, airflow_try, job_file, tasks)
values (:job_key, :submission, :array_name, :runner, :airflow_run, :airflow_try, :job_file, :tasks);

-- name: put_attempt!
insert into attempts (job_key, unit_key, attempt, submission, task_index, token, folder)
values (:job_key, :unit_key, :attempt, :submission, :task_index, :token, :folder);

-- name: open_submissions
select job_key, submission, name, runner, job_file, tasks, runner_job_id, airflow_run, airflow_try
from submissions where job_key = :job_key and ended_at is null order by submission;

-- name: own_submission!
-- The run that asked last, and its try, own the array from now on.
update submissions set airflow_run = :airflow_run, airflow_try = :airflow_try
where job_key = :job_key and submission = :submission;

-- name: resume_run!
update runs set ended_at = null, requested_at = now() where run_id = :run_id and ended_at is not null;

-- name: submission_by_name
select s.job_key, s.submission, s.name, s.tasks, s.airflow_run, s.airflow_try, s.ended_at, s.runner,
    extract(epoch from now() - s.ended_at)::double precision as ended_s, j.kind::text as kind, j.subject, j.campaign
from submissions s join jobs j using (job_key)
where s.name = :array_name;

-- name: arrays_of_run
select s.name, s.tasks, s.airflow_try, s.intended_at
from submissions s join runs r on r.run_id = s.airflow_run
where r.dag_id = :dag_id and r.run_id = :run_id order by s.submission;

-- name: array_of_dag
select s.name, s.tasks from submissions s join runs r on r.run_id = s.airflow_run
where r.dag_id = :dag_id and s.name = :array_name;

-- name: owned_up_to
-- The array of that name and what is open of the ones before it, as far as that run owns them.
select s.job_key, s.name, s.ended_at
from submissions s join submissions own using (job_key)
where own.name = :array_name and s.submission <= own.submission and s.airflow_run = :airflow_run
    and (s.ended_at is null or s.name = own.name)
order by s.submission;

-- name: all_open_submissions
select job_key, submission, name, airflow_run, runner_job_id from submissions
where ended_at is null and intended_at < now() - make_interval(secs => :settled_s) order by name;

-- name: supersede_attempts
-- Take back what is open of an array; a late result of it is not believed.
update attempts set state = 'superseded', reason = 'cancelled', detail = :detail, ended_at = now()
where job_key = :job_key and submission = :submission and state in ('intended', 'submitted')
returning unit_key;

-- name: was_taken_back
-- Whether the last word on some unit of a job is that it was stopped or superseded.
select 1 from attempts a
where a.job_key = :job_key and a.reason = 'cancelled'
    and not exists (select from attempts b where b.job_key = a.job_key and b.unit_key = a.unit_key
        and b.attempt > a.attempt)
limit 1;

-- name: forget_cancelled_units!
update units set state = 'pending', reason = null, detail = '', ended_at = null
where state = 'failed' and reason = 'cancelled'
    and unit_key in (select unit_key from attempts where job_key = :job_key);

-- name: forget_cancelled_calibration_frames!
delete from calibration_frames where calibration_key in (
    select calibration_key from calibrations where state = 'rejected' and reason = 'cancelled'
        and calibration_key in (select unit_key from attempts where job_key = :job_key));

-- name: forget_cancelled_calibrations!
delete from calibrations where state = 'rejected' and reason = 'cancelled'
    and calibration_key in (select unit_key from attempts where job_key = :job_key);

-- name: forget_cancelled_references!
delete from reference_images where state = 'rejected' and reason = 'cancelled'
    and reference_key in (select unit_key from attempts where job_key = :job_key);

-- name: forget_cancelled_differences!
delete from differences where state = 'failed' and reason = 'cancelled'
    and unit_key in (select unit_key from attempts where job_key = :job_key);

-- name: reopen_exposures_of_job!
-- Exposures of which a unit, or a frame of a calibration set, is to be worked on again.
update exposures e set state = 'running', ended_at = null
where e.state = 'ended' and (
    exists (select from units u join attempts a using (unit_key) where a.job_key = :job_key
        and u.instrument = e.instrument and u.exposure_id = e.exposure_id and u.state = 'pending')
    or exists (select from calibrations c join calibration_frames f using (calibration_key)
        join attempts a on a.unit_key = c.calibration_key
        where a.job_key = :job_key and c.state = 'rejected' and c.reason = 'cancelled'
            and f.instrument = e.instrument and f.exposure_id = e.exposure_id));

-- name: earlier_failures
-- How often the units of a submission ran out of memory or time before.
select coalesce(max(f.memory), 0)::integer as memory, coalesce(max(f.time), 0)::integer as time
from (
    select count(*) filter (where b.reason = 'out_of_memory') as memory,
        count(*) filter (where b.reason = 'timeout') as time
    from attempts a join attempts b using (job_key, unit_key)
    where a.job_key = :job_key and a.submission = :submission and b.attempt < a.attempt
    group by a.unit_key) f;

-- name: set_submitted!
update submissions set runner_job_id = :runner_job_id, submitted_at = coalesce(submitted_at, now())
where job_key = :job_key and submission = :submission;

-- name: set_attempts_submitted!
update attempts set state = 'submitted'
where job_key = :job_key and submission = :submission and state = 'intended';

-- name: open_attempts
-- What is not known to have ended, with the reasons why earlier attempts of the unit did not succeed.
select a.job_key, a.unit_key, a.attempt, a.submission, a.task_index, a.token, a.folder, a.state::text as state,
    s.name, s.runner, s.job_file,
    steady_age_s(coalesce(s.submitted_at, s.intended_at)) as age_s,
    array(select b.reason from attempts b where b.job_key = a.job_key and b.unit_key = a.unit_key
        and b.attempt < a.attempt) as earlier_reasons
from attempts a join submissions s using (job_key, submission)
where a.job_key = :job_key and a.state in ('intended', 'submitted')
order by a.unit_key, a.attempt;

-- name: lock_attempt
select token from attempts
where token = :token and state in ('intended', 'submitted') for update;

-- name: end_attempt!
update attempts set state = :state::attempt_state, reason = :reason, error_class = :error_class::error_class,
    detail = :detail, restart_count = :restart_count, host = :host, peak_memory_mb = :peak_memory_mb,
    seconds = :seconds, ended_at = now()
where token = :token;

-- name: end_submissions!
update submissions s set ended_at = now()
where s.job_key = :job_key and s.ended_at is null
    and not exists (select from attempts a where a.job_key = s.job_key and a.submission = s.submission
        and a.state in ('intended', 'submitted'));

-- name: end_job!
update jobs set ended_at = now() where job_key = :job_key and ended_at is null
    and not exists (select from submissions s where s.job_key = jobs.job_key and s.ended_at is null);

-- name: stragglers
-- Jobs with an open array although no run of theirs is under way, or beyond their deadline.
select j.job_key, j.kind::text as kind, j.subject, j.campaign,
    steady_age_s(min(coalesce(s.submitted_at, s.intended_at))) as age_s
from jobs j join submissions s using (job_key)
where s.ended_at is null
group by j.job_key
having not exists (select from runs r where r.subject = j.job_key and r.ended_at is null)
    or steady_age_s(min(coalesce(s.submitted_at, s.intended_at))) > :deadline_s
order by j.job_key;

-- name: open_jobs_of_night
select distinct j.job_key, j.kind::text as kind, j.subject, j.campaign
from jobs j join submissions s using (job_key)
where j.site = :site and j.night = :night and s.ended_at is null order by j.job_key;

-- Products ---------------------------------------------------------------------------------------------------

-- name: put_product!
insert into products (product_key, kind, unit_key, campaign, site, night, path, sha256, bytes, code_version,
    settings_hash, job_key, attempt)
values (:product_key, :kind, :unit_key, :campaign, :site, :night, :path, :sha256, :bytes, :code_version,
    :settings_hash, :job_key, :attempt)
on conflict (product_key) do update set
    path = excluded.path, sha256 = excluded.sha256, bytes = excluded.bytes, code_version = excluded.code_version,
    settings_hash = excluded.settings_hash, job_key = excluded.job_key, attempt = excluded.attempt, made_at = now();

-- name: delete_product_inputs!
delete from product_inputs where product_key = :product_key;

-- name: put_product_inputs!
insert into product_inputs (product_key, role, input_key, sha256)
select :product_key, i.role, i.input_key, i.sha256
from jsonb_to_recordset((:inputs)::jsonb -> 'rows') as i (role text, input_key text, sha256 text)
on conflict do nothing;

-- name: event_said
select 1 from events where kind = :kind and subject = :subject limit 1;

-- name: night_of_job
select night from jobs where job_key = :job_key;

-- name: conf_of_subject
-- What the newest run of a subject was asked with.
select conf from runs where subject = :subject order by requested_at desc limit 1;

-- Explanation ------------------------------------------------------------------------------------------------

-- name: arrivals_like
-- Arrivals of a file name, of an exposure, or by their own key.
select a.arrival_key, a.arrived_at, a.inbox_name, a.bytes, a.sha256, a.disposition::text as disposition,
    coalesce(a.reason, q.reason) as reason, coalesce(nullif(a.detail, ''), q.detail, '') as detail, a.kept_path,
    q.disposed_at, q.disposed_by, q.disposed_as
from arrivals a left join quarantine q using (arrival_key)
where a.inbox_name = :thing or a.exposure_id = :thing or a.arrival_key = :thing
order by a.arrived_at, a.arrival_key;

-- name: on_manifests
-- What the mountain says of a file name.
select e.site, e.night, e.part, e.bytes, e.sha256, m.received_at
from manifest_entries e join manifests m using (site, night, part) where e.file_name = :thing
order by e.night, e.part;

-- name: frame_notes
-- Whether a frame came after its night had closed, and whether a manifest of its night names it.
select r.inbox_name, r.detector, a.arrived_at > (
        select min(x.at) from events x where x.kind in ('night_closed', 'unbalanced')
            and x.subject = e.site || '/' || to_char(e.night, 'YYYYMMDD')) as late,
    exists (select from manifests m where m.site = e.site and m.night = e.night) and not exists (
        select from manifest_entries m where m.site = e.site and m.night = e.night
            and m.file_name = r.inbox_name) as unlisted
from raw_frames r join exposures e using (instrument, exposure_id) join arrivals a using (arrival_key)
where r.instrument = :instrument and r.exposure_id = :exposure_id
order by r.detector;

-- name: exposures_like
select e.instrument, e.exposure_id, e.site, e.night, e.image_type::text as image_type, e.field, e.filter,
    e.exposure_s, e.shutter_open, e.state::text as state, e.run_id, e.ended_at
from exposures e
where e.exposure_id = :thing or e.instrument || '/' || e.exposure_id = :thing
    or exists (select from raw_frames r where r.instrument = e.instrument and r.exposure_id = e.exposure_id
        and r.inbox_name = :thing)
    or exists (select from units u where u.instrument = e.instrument and u.exposure_id = e.exposure_id
        and u.unit_key = :thing)
order by e.shutter_open, e.exposure_id;

-- name: frames_like
select r.detector, r.inbox_name, r.path, r.sha256, r.invalid_reason, r.registered_at
from raw_frames r
where r.instrument = :instrument and r.exposure_id = :exposure_id and (:thing in ('', r.inbox_name))
order by r.detector;

-- name: units_like
select u.unit_key, u.state::text as state, u.reason, u.detail, u.flags, u.ended_at
from units u
left join raw_frames r using (instrument, exposure_id, detector)
where u.instrument = :instrument and u.exposure_id = :exposure_id
    and (:thing in ('', u.unit_key) or r.inbox_name = :thing)
order by u.unit_key;

-- name: uses_in_masters
select f.detector, f.calibration_key, f.accepted, f.reason, f.level
from calibration_frames f
where f.instrument = :instrument and f.exposure_id = :exposure_id
order by f.calibration_key, f.detector;

-- name: attempts_of_unit
select job_key, attempt, state::text as state, reason, detail, host, peak_memory_mb, created_at, ended_at
from attempts where unit_key = :unit_key order by created_at, job_key, attempt;

-- name: products_of_unit
select p.product_key, p.kind, p.path, p.sha256, p.code_version, p.settings_hash, p.made_at,
    array_agg(i.role || ' ' || i.input_key order by i.role, i.input_key) as inputs
from products p left join product_inputs i using (product_key)
where p.unit_key = :unit_key group by p.product_key order by p.product_key;

-- name: difference_of_unit
select reference_key, state::text as state, reason, detail, candidates from differences where unit_key = :unit_key;

-- name: alerts_of_unit
select state::text as state, reason, count(*) as alerts from alerts where unit_key = :unit_key
group by state, reason order by state, reason;

-- name: events_about
select at, level::text as level, kind, message from events where subject = any (:subjects::text[]) order by event_id;
