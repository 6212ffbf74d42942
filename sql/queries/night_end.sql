-- What the end of a night asks of the ledger: accounts, old events, report, closing.

-- name: night^
select site, night, begins, ends, state, closing_since, closed_at, signal, summary
from nights where site = :site and night = :night;

-- name: lock_night^
-- One at a time for one night; released with the transaction.
select pg_advisory_xact_lock(hashtextextended(:subject, 0));

-- Accounts ---------------------------------------------------------------------------------------------------

-- name: manifests
-- row: Manifest
select part, parts, sha256, path, synthetic, received_at
from manifests where site = :site and night = :night order by part;

-- name: manifest_entries
-- row: ManifestEntry
select file_name, bytes, sha256, part
from manifest_entries where site = :site and night = :night order by file_name;

-- name: arrivals_of_night
-- row: ArrivalOfNight
-- What a registered frame belongs to is said by its exposure, of anything else by the arrival itself.
with of_night as (
    select a.arrival_key, f.arrival_key as frame
    from exposures e join raw_frames f using (instrument, exposure_id) join arrivals a using (arrival_key)
    where e.site = :site and e.night = :night
    union all
    select a.arrival_key, null
    from arrivals a
    where (a.site = :site and a.night = :night or a.site is null and a.night = :night)
        and not exists (select from raw_frames f where f.arrival_key = a.arrival_key)
)
select a.arrival_key, a.inbox_name, a.bytes, a.sha256, a.disposition, a.reason, a.detail, a.arrived_at,
    a.exposure_id, o.frame is not null as has_frame, q.arrival_key is not null as has_quarantine
from of_night o join arrivals a using (arrival_key) left join quarantine q using (arrival_key)
order by a.inbox_name, a.arrived_at, a.arrival_key;

-- name: arrivals_on_manifest
-- row: ArrivalOnManifest
-- Every arrival of a file that the night's manifest lists, whenever it came.
select a.inbox_name, a.sha256, a.disposition, a.reason, a.detail
from arrivals_on_manifests m join arrivals a using (arrival_key)
where m.site = :site and m.night = :night
order by a.inbox_name, a.arrived_at, a.arrival_key;

-- name: frames_of_night
-- row: FrameOfNight
select f.instrument, f.exposure_id, f.detector, f.inbox_name, f.path, f.sha256, f.bytes, f.invalid_reason,
    e.image_type, e.filter, e.field, e.shutter_open
from raw_frames f join exposures e using (instrument, exposure_id)
where e.site = :site and e.night = :night
order by f.instrument, f.exposure_id, f.detector;

-- name: late_frames
-- row: LateFrame
-- Registered frames that came after the night was closed for the first time.
select f.inbox_name
from raw_frames f join exposures e using (instrument, exposure_id) join arrivals a using (arrival_key)
where e.site = :site and e.night = :night and a.arrived_at > (
    select min(x.at) from events x where x.kind in ('night_closed', 'unbalanced') and x.subject = :subject)
order by f.inbox_name;

-- name: exposure_types
-- row: ExposureType
select instrument, exposure_id, image_type, detectors_expected from exposures where site = :site and night = :night;

-- name: units_of_night
-- row: UnitOfNight
select u.unit_key, u.instrument, u.exposure_id, u.detector, u.quadrant, u.state, u.reason, u.detail, u.flags
from units u join exposures e using (instrument, exposure_id, night)
where e.site = :site and night = :night and u.tier = :tier::tier and u.campaign = :campaign
order by u.unit_key;

-- name: calibration_uses
-- row: CalibrationUse
-- nullable: reason, level
-- What each master of the night's frames made of each of them.
select c.instrument, c.exposure_id, c.detector, bool_or(c.accepted) as accepted,
    (array_agg(c.reason order by c.calibration_key desc) filter (where c.reason is not null))[1] as reason,
    (array_agg(c.level order by c.calibration_key) filter (where c.level is not null))[1] as level
from calibration_frames c join exposures e using (instrument, exposure_id)
join calibrations m using (calibration_key)
where e.site = :site and e.night = :night and m.campaign = :campaign
group by c.instrument, c.exposure_id, c.detector;

-- name: mark_mismatches!
-- The registered content is not what the mountain sent, and no person has accepted it all the same.
update raw_frames f set invalid_reason = 'manifest_mismatch'
from manifest_entries m, exposures e
where m.site = :site and m.night = :night and m.night = f.night and m.file_name = f.inbox_name
    and e.instrument = f.instrument and e.exposure_id = f.exposure_id and e.site = m.site
    and m.sha256 <> f.sha256 and f.invalid_reason is null
    and coalesce((select o.verdict <> 'accept' from overrides o
        where o.subject = f.instrument || '/' || f.exposure_id || '/d'
            || case when f.detector < 10 then '0' else '' end || f.detector
        order by o.override_id desc limit 1), true);

-- name: unmark_mismatches!
-- A corrected manifest agrees with what is here.
update raw_frames f set invalid_reason = null
from manifest_entries m, exposures e
where m.site = :site and m.night = :night and m.night = f.night and m.file_name = f.inbox_name
    and e.instrument = f.instrument and e.exposure_id = f.exposure_id and e.site = m.site
    and m.sha256 = f.sha256
    and f.invalid_reason = 'manifest_mismatch';

-- name: reject_units_of_mismatches!
update units u set state = 'rejected', reason = 'manifest_mismatch', ended_at = coalesce(u.ended_at, now())
from raw_frames f join exposures e using (instrument, exposure_id)
where e.site = :site and e.night = :night and f.invalid_reason = 'manifest_mismatch'
    and u.instrument = f.instrument and u.exposure_id = f.exposure_id and u.detector = f.detector
    and u.night = :night and u.state = 'processed';

-- name: restore_units_of_mismatches!
update units u set state = 'processed', reason = null
from raw_frames f join exposures e using (instrument, exposure_id)
where e.site = :site and e.night = :night and f.invalid_reason is null
    and u.instrument = f.instrument and u.exposure_id = f.exposure_id and u.detector = f.detector
    and u.night = :night and u.state = 'rejected' and u.reason = 'manifest_mismatch';

-- name: put_ended_unit!
-- A unit whose file never came, or came unusable. What has begun otherwise stays as it is.
insert into units (instrument, exposure_id, detector, quadrant, tier, campaign, night, unit_key, state, reason, detail,
    ended_at)
values (:instrument, :exposure_id, :detector, :quadrant, :tier::tier, :campaign, night_of(:unit_key), :unit_key,
    :state::unit_state, :reason, :detail, now())
on conflict (unit_key, night) do update
    set state = excluded.state, reason = excluded.reason, detail = excluded.detail, ended_at = now()
    where (units.state, units.reason) is distinct from (excluded.state, excluded.reason)
    and (units.state = 'pending' or units.reason = any (:file_reasons::text[]))
    and not exists (select from attempts a where a.unit_key = units.unit_key
        and a.night = night_of(:unit_key));

-- name: revive_units!
-- Their file came after all, so their work is due.
update units u set state = 'pending', reason = null, detail = '', ended_at = null
from raw_frames f join exposures e using (instrument, exposure_id)
where e.site = :site and e.night = :night and f.invalid_reason is null
    and u.instrument = f.instrument and u.exposure_id = f.exposure_id and u.detector = f.detector
    and u.night = :night and u.state in ('missing', 'failed') and u.reason = any (:file_reasons::text[])
    and not exists (select from attempts a where a.unit_key = u.unit_key and a.night = :night);

-- name: reopen_exposures!
update exposures e set state = 'arriving', ended_at = null
where e.site = :site and e.night = :night and e.state = 'ended'
    and exists (select from units u where u.instrument = e.instrument and u.exposure_id = e.exposure_id
        and u.night = :night and u.state = 'pending' and u.campaign = :campaign);

-- name: put_summary!
update nights set summary = :summary where site = :site and night = :night and summary is distinct from :summary;

-- Old events -------------------------------------------------------------------------------------------------

-- name: last_closed_night$
-- nullable: night
select max(night) as night from nights where site = :site and state = 'closed';

-- name: old_events
-- row: OldEvent
-- The oldest that may leave. What tells when a night was closed stays, and so does what programs may ask for of a
-- night that is not closed.
select * from events
where at < least(statement_timestamp() - make_interval(days => :days),
        (select min(n.begins) from nights n where n.state <> 'closed'))
    and kind not in ('night_closed', 'unbalanced')
order by event_id limit :most;

-- name: old_events_in_sum^
-- row: SumOfOldEvents
-- nullable: first, last
select count(*) as events, min(at) as first, max(at) as last from events
where at < least(statement_timestamp() - make_interval(days => :days),
        (select min(n.begins) from nights n where n.state <> 'closed'))
    and kind not in ('night_closed', 'unbalanced');

-- name: night_that_keeps_events^
-- row: NightThatKeepsEvents
-- The first night that is not closed, and how many old events stay for its sake.
select n.night, n.state, (
    select count(*) from events e
    where e.at < statement_timestamp() - make_interval(days => :days) and e.at >= n.begins
        and e.kind not in ('night_closed', 'unbalanced')) as events
from nights n where n.state <> 'closed' order by n.begins limit 1;

-- name: put_event_archive!
insert into event_archives (path, first_event_id, last_event_id, last_at) values (:path, :first, :last, :last_at)
on conflict (path) do nothing;

-- name: delete_events!
delete from events where event_id = any (:event_ids::bigint[]);

-- name: archive_totals^
-- row: ArchiveTotals
select count(*) as files, coalesce(sum(bytes), 0)::bigint as bytes, count(verified_at) as verified
from archive_files where site = :site and night = :night;

-- Report -----------------------------------------------------------------------------------------------------

-- name: science_by_field
-- row: ScienceOfField
select e.field, e.filter, count(distinct e.exposure_id) as exposures,
    min(e.shutter_open) as first_open, max(e.shutter_open) as last_open,
    count(u.unit_key) filter (where u.state = 'processed') as processed,
    count(u.unit_key) filter (where u.state = 'rejected') as rejected,
    count(u.unit_key) filter (where u.state = 'failed') as failed,
    count(u.unit_key) filter (where u.state = 'missing') as missing,
    count(u.unit_key) filter (where u.state = 'held') as held,
    count(u.unit_key) filter (where u.state in ('pending', 'running')) as unfinished,
    count(d.unit_key) filter (where d.state = 'processed') as differenced,
    coalesce(sum(d.candidates), 0)::bigint as candidates,
    coalesce(sum(a.alerts), 0)::bigint as alerts
from exposures e
left join units u on u.instrument = e.instrument and u.exposure_id = e.exposure_id and u.night = :night
    and u.tier = :tier::tier and u.campaign = :campaign
left join differences d on d.unit_key = u.unit_key and d.night = :night and d.campaign = :campaign
left join (select unit_key, count(*) as alerts from alerts
           where site = :site and night = :night and state in ('sent', 'retracted') group by unit_key) a
    on a.unit_key = u.unit_key
where e.site = :site and e.night = :night and e.image_type = 'science' and e.instrument = :instrument
group by e.field, e.filter order by e.field nulls last, e.filter;

-- name: filters_of_science
-- row: FilterOfScience
select distinct filter from exposures
where instrument = :instrument and night = :night and image_type = 'science' order by filter;

-- name: masters
-- row: MastersOfKind
-- nullable: level, noise, read_noise, gain, first_not_in_service
-- Of each quadrant the version that serves, or the newest where none does.
select c.kind, c.filter, count(*) as masters, count(*) filter (where c.state = 'in_service') as in_service,
    max(c.frames) as frames,
    percentile_cont(0.5) within group (order by c.level) as level,
    percentile_cont(0.5) within group (order by c.noise) as noise,
    percentile_cont(0.5) within group (order by c.read_noise) as read_noise,
    percentile_cont(0.5) within group (order by c.gain) as gain,
    array_remove(array_agg(distinct c.reason), null) as reasons,
    min(c.calibration_key) filter (where c.state <> 'in_service') as first_not_in_service
from (
    select distinct on (kind, filter, detector, quadrant) * from calibrations
    where night = :night and instrument = :instrument and campaign = :campaign
    order by kind, filter, detector, quadrant, state = 'in_service' desc, version desc) c
group by c.kind, c.filter order by c.kind, c.filter;

-- name: image_quality_by_filter
-- row: QualityOfFilter
-- not null: relative
select e.filter, count(*) as units, count(*) filter (where not q.good) as bad,
    count(*) filter (where 'own_catalogue' = any (u.flags)) as relative
from image_quality q
join units u using (unit_key, night)
join exposures e on e.instrument = u.instrument and e.exposure_id = u.exposure_id and e.night = u.night
where e.site = :site and e.night = :night and e.instrument = :instrument
    and u.tier = :tier::tier and u.campaign = :campaign
group by e.filter order by e.filter;

-- name: measurements_by_filter
-- row: MeasurementOfFilter
-- nullable: quantiles
-- Of each measurement, over the quadrants of a filter: four quantiles, null where it was never made, and in how many
-- quadrants it is above zero.
select e.filter, m.name,
    percentile_cont(array[0.1, 0.5, 0.9, 1.0]) within group (order by i.values[m.position]) as quantiles,
    count(*) filter (where i.values[m.position] > 0) as present
from image_measurements i
join units u using (unit_key, night)
join exposures e on e.instrument = u.instrument and e.exposure_id = u.exposure_id and e.night = u.night
cross join measurements m
where e.site = :site and e.night = :night and e.instrument = :instrument
    and u.tier = :tier::tier and u.campaign = :campaign and m.name = any(:names::text[])
group by e.filter, m.name order by e.filter, m.name;

-- name: quality_warnings
-- row: WarnedMeasurement
-- How many quadrants are outside of the `warn` bounds of each measurement, the commonest first.
select split_part(w.warning, ' ', 1) as measurement, count(distinct q.unit_key) as units
from image_quality q
join units u using (unit_key, night)
join exposures e on e.instrument = u.instrument and e.exposure_id = u.exposure_id and e.night = u.night
cross join unnest(q.warnings) as w (warning)
where e.site = :site and e.night = :night and e.instrument = :instrument and u.tier = :tier::tier and u.campaign = :campaign
group by 1 order by 2 desc, 1;

-- name: timeline
-- row: TimelineExposure
-- One row a science exposure, in shutter order; it is good where all its units that were measured are.
select e.exposure_id, e.shutter_open, e.exposure_s, e.filter, e.field, coalesce(bool_and(q.good), false) as good
from exposures e
left join units u on u.instrument = e.instrument and u.exposure_id = e.exposure_id and u.night = :night
    and u.tier = :tier::tier and u.campaign = :campaign
left join image_measurements q on q.unit_key = u.unit_key and q.night = :night
where e.site = :site and e.night = :night and e.image_type = 'science' and e.instrument = :instrument
group by e.instrument, e.exposure_id order by e.shutter_open, e.exposure_id;

-- name: measurements_of_timeline
-- row: MeasurementOfExposure
-- nullable: median
-- Of each science exposure and measurement the median over its units, null where it was made on none.
select e.exposure_id, m.name, percentile_cont(0.5) within group (order by i.values[m.position]) as median
from image_measurements i
join units u using (unit_key, night)
join exposures e on e.instrument = u.instrument and e.exposure_id = u.exposure_id and e.night = u.night
cross join measurements m
where e.site = :site and e.night = :night and e.image_type = 'science' and e.instrument = :instrument
    and u.tier = :tier::tier and u.campaign = :campaign and m.name = any(:names::text[])
group by e.exposure_id, m.name;

-- name: quarantined
-- row: QuarantinedFile
-- nullable: reason
select a.inbox_name, a.bytes, a.arrived_at, a.disposition, coalesce(q.reason, a.reason) as reason,
    coalesce(q.detail, a.detail) as detail, q.disposed_as
from arrivals a left join quarantine q using (arrival_key)
where (a.site = :site and a.night = :night or a.site is null and a.night = :night) and a.disposition in ('quarantined', 'conflicting')
order by a.inbox_name, a.arrived_at, a.arrival_key;

-- name: differences_by_state
-- row: DifferencesInState
-- nullable: noise_ratio
select d.state, d.reason, count(*) as units, coalesce(sum(d.candidates), 0)::bigint as candidates,
    percentile_cont(0.5) within group (order by d.noise_ratio) as noise_ratio
from differences d
join units u using (unit_key, night)
join exposures e on e.instrument = u.instrument and e.exposure_id = u.exposure_id and e.night = u.night
where e.site = :site and e.night = :night and d.campaign = :campaign
group by d.state, d.reason order by d.state, d.reason nulls first;

-- name: references_built
-- row: ReferenceBuilt
-- nullable: fwhm_px, limiting_magnitude
select r.field, r.filter, r.version, count(*) as quadrants,
    count(*) filter (where r.state = 'in_service') as in_service, max(r.frames) as frames,
    percentile_cont(0.5) within group (order by r.fwhm_px) as fwhm_px,
    percentile_cont(0.5) within group (order by r.limiting_magnitude) as limiting_magnitude,
    array_remove(array_agg(distinct r.reason), null) as reasons
from reference_images r
where r.instrument = :instrument and r.campaign = :campaign and r.reference_key in (
    select p.unit_key from products p
    where p.site = :site and p.night = :night and p.leaves_with = 'infinity' and p.kind = 'reference'
    union
    select m.reference_key
    from exposures e join units u using (instrument, exposure_id, night) join reference_members m using (unit_key)
    where e.site = :site and night = :night)
group by r.field, r.filter, r.version order by r.field, r.filter, r.version;

-- name: alerts_by_state
-- row: AlertsInState
select a.state, count(*) as alerts, count(distinct a.object_id) as objects,
    array_remove(array_agg(distinct a.reason), null) as reasons, min(a.unit_key) as first_unit
from alerts a where a.site = :site and a.night = :night group by a.state order by a.state;

-- name: outbox_by_topic
-- row: TopicMessages
select o.topic, count(*) as messages, count(*) filter (where o.state = 'acknowledged') as acknowledged,
    count(*) filter (where o.state = 'queued') as queued, max(o.tries) as most_tries
from outbox o join alerts a using (candid, shutter_open)
where a.site = :site and a.night = :night group by o.topic order by o.topic;

-- name: latency
-- row: Latency
-- Seconds from the closing of the shutter (of a night that is not live: from an exposure's last file) to the broker's
-- acknowledgement of each of its alerts. Alerts of frames that had to wait for their reference are apart: they measure
-- the wait.
with each as (
    select extract(epoch from o.acknowledged_at - case when :live
            then e.shutter_open + make_interval(secs => e.exposure_s) else e.last_arrival_at end)::double precision
        as seconds, coalesce(r.built_at > e.last_arrival_at, false) as waited
    from outbox o
    join alerts a using (candid, shutter_open)
    join candidates c on c.shutter_open = a.shutter_open and c.candid = a.candid
    join units u on u.unit_key = a.unit_key and u.night = a.night
    join exposures e on e.instrument = u.instrument and e.exposure_id = u.exposure_id
    left join reference_images r on r.reference_key = c.reference_key
    where a.site = :site and a.night = :night and o.state = 'acknowledged'
)
select waited, count(*) as alerts,
    percentile_cont(0.5) within group (order by seconds) as p50_s,
    percentile_cont(0.9) within group (order by seconds) as p90_s,
    percentile_cont(0.99) within group (order by seconds) as p99_s,
    max(seconds) as max_s
from each group by waited order by waited;

-- name: tracklets
-- row: Tracklet
select number, tracklet_key, detections, begins, ends, ra_deg, dec_deg, rate_deg_per_day, position_angle_deg,
    residual_arcsec, magnitude
from tracklets where site = :site and night = :night and campaign = :campaign order by number;

-- name: tracklet_positions
-- row: TrackletPosition
select t.number, c.shutter_open, c.ra_deg, c.dec_deg
from tracklets t
join tracklet_members m using (tracklet_key)
join candidates c on c.candid = m.candid
where t.site = :site and t.night = :night and t.campaign = :campaign
order by t.number, m.position;

-- name: sky_of_alerts
-- row: AlertOnSky
select c.field, c.filter, c.ra_deg, c.dec_deg, c.signal_to_noise, a.state
from alerts a join candidates c on c.shutter_open = a.shutter_open and c.candid = a.candid
where a.site = :site and a.night = :night
order by c.signal_to_noise desc, c.candid limit :most;

-- name: footprints
-- row: Footprint
-- not null: corners_deg
select e.field, q.corners_deg
from image_quality q
join units u using (unit_key, night)
join exposures e on e.instrument = u.instrument and e.exposure_id = u.exposure_id and e.night = u.night
where e.site = :site and e.night = :night and q.corners_deg is not null
order by e.shutter_open, u.unit_key limit :most;

-- name: best_candidates
-- row: BestCandidate
-- not null: object_id
-- The strongest detection of each object whose alert left, strongest first.
select * from (
    select distinct on (a.object_id) a.object_id, c.candid, c.number, c.unit_key, c.signal_to_noise, c.magnitude,
        c.filter, c.shutter_open, c.positive, p.path as cutouts
    from alerts a
    join candidates c on c.shutter_open = a.shutter_open and c.candid = a.candid
    join products p on p.unit_key = c.unit_key and p.leaves_with = a.night and p.kind = 'cutouts'
        and p.deleted_at is null
    where a.site = :site and a.night = :night and a.state in ('released', 'sent', 'retracted')
        and p.campaign = c.campaign
    order by a.object_id, c.signal_to_noise desc, c.candid
) best
order by signal_to_noise desc, candid limit :most;

-- name: loud_events
-- row: LoudEvent
-- Each thing said aloud during the night, once, with how often; without what the books and the archive say by
-- themselves as they stand now.
select e.level, e.kind, e.message, max(e.subject) as subject, count(*) as times
from events e join nights n on n.site = :site and n.night = :night
where e.level in ('warning', 'error', 'page')
    and e.kind not in ('archive_fault', 'mail_not_sent', 'manifest_mismatch', 'night_overdue', 'stragglers_failed',
        'unbalanced')
    -- what is over needs nobody any more; the clock may have been set a little between the two
    and not exists (
        select from unnest(:begins::text[], :ends::text[]) as t (begins, ends)
        join events b on b.kind = t.ends and b.event_id > e.event_id and b.at >= e.at - interval '1 hour'
            and (b.subject = e.subject or e.subject = '')
        where t.begins = e.kind)
    and split_part(e.subject, '/', 1) <> all (:elsewhere::text[]) -- another site's, or of an instrument there
    and (e.subject = :subject
         or e.night_time >= n.begins and e.night_time < n.ends
         or e.night_time is null and e.at >= (
             select min(x.first_arrival_at) from exposures x where x.site = :site and x.night = :night)
            and e.at <= coalesce(n.closed_at, now()))
group by e.level, e.kind, e.message
order by e.level desc, min(e.event_id);

-- name: reasons
-- row: KnownReason
select reason, error_class, sentence from reasons;

-- name: report^
-- row: WrittenReport
select path, sent_at, message_id from reports where site = :site and night = :night and kind = :kind;

-- name: changed_since_mail$
-- Whether something of the night came or was reduced after its report was sent.
select exists (
    select from reports r where r.site = :site and r.night = :night and r.kind = :kind and (
        exists (select from arrivals a where a.site = r.site and a.night = r.night and a.arrived_at > r.sent_at)
        or exists (select from units u join exposures e using (instrument, exposure_id, night)
            where e.site = r.site and night = :night and u.ended_at > r.sent_at))
) as changed;

-- name: put_report!
insert into reports (site, night, kind, path) values (:site, :night, :kind, :path)
on conflict (site, night, kind) do update set path = excluded.path where reports.path <> excluded.path;

-- name: set_report_sent!
update reports set sent_at = now(), message_id = :message_id
where site = :site and night = :night and kind = :kind;

-- Closing ----------------------------------------------------------------------------------------------------

-- name: begin_closing!
-- A night that was closed opens its books again without losing its signal.
update nights set state = 'closing', closing_since = now(), closed_at = null, signal = coalesce(:signal, signal)
where site = :site and night = :night and state <> 'closing';

-- name: count_from_now!
-- What comes from now on may not be counted any more when the night closes.
update nights set changed = false where site = :site and night = :night and changed;

-- name: set_closed!
update nights set state = :state::night_state, closed_at = now()
where site = :site and night = :night and state is distinct from :state::night_state;

-- name: seconds_closing$
-- nullable: seconds
select steady_age_s(closing_since) as seconds from nights where site = :site and night = :night;

-- name: units_in_flight
-- row: Unfinished
select u.unit_key as subject, u.state::text as state
from units u join exposures e using (instrument, exposure_id, night)
where e.site = :site and night = :night and u.state in ('pending', 'running') order by u.unit_key;

-- name: exposures_in_flight
-- row: Unfinished
select instrument || '/' || exposure_id as subject, state::text as state
from exposures
where site = :site and night = :night and image_type = any (:kinds::image_type[]) and state <> 'ended'
order by exposure_id;

-- name: attempts_in_flight
-- row: Unfinished
select a.job_key || ' ' || a.unit_key || ' ' || a.attempt as subject, a.state::text as state
from attempts a join jobs j using (job_key)
where j.site = :site and j.night = :night and a.night = :night and a.state in ('intended', 'submitted')
order by subject;

-- name: runs_in_flight
-- row: Unfinished
-- Runs that were asked for and whose job is this night's, or whose job is not planned yet.
select r.run_id as subject, 'requested' as state
from runs r
where r.ended_at is null and r.dag_id = any (:workflows::text[])
    and steady_age_s(r.requested_at) < :stale_s
    and case when exists (select from jobs j where j.job_key = r.subject)
        then exists (select from jobs j where j.job_key = r.subject and j.site = :site and j.night = :night)
        else coalesce(r.conf ->> 'night', :night::date::text) = :night::date::text
            and r.conf ->> 'instrument' = any (:instruments::text[]) end
order by r.run_id;

-- name: releases_in_flight
-- row: Unfinished
-- Searched differences whose alerts await their release.
select d.unit_key as subject, 'awaiting its release' as state
from differences d join units u using (unit_key, night) join exposures e using (instrument, exposure_id, night)
where e.site = :site and night = :night and d.state = 'processed' and u.state = 'processed'
    and d.released_at is null
order by d.unit_key;

-- name: outbox_in_flight
-- row: Unfinished
select o.candid::text || ' ' || o.topic as subject, o.state::text as state
from outbox o join alerts a using (candid, shutter_open)
where a.site = :site and a.night = :night and o.state in ('queued', 'held') order by o.candid, o.topic;

-- name: names_awaited
-- row: AwaitedName
select m.file_name
from manifest_entries m
where m.site = :site and m.night = :night
    and not exists (select from arrivals_on_manifests a
        where a.site = m.site and a.night = m.night and a.file_name = m.file_name)
order by m.file_name;

-- name: fail_stragglers!
update units u set state = 'failed', reason = 'night_ended', detail = 'was still ' || u.state, ended_at = now()
from exposures e
where e.instrument = u.instrument and e.exposure_id = u.exposure_id and e.site = :site and e.night = :night
    and u.night = :night and u.state in ('pending', 'running') and u.campaign = :campaign;

-- name: unclosed_nights
-- row: UnclosedNight
-- Nights that should have closed: noon has passed by the night's clock, and nothing has come for a while.
select n.site, n.night, n.state, n.ends, n.closing_since
from nights n
where n.site = :site and n.state in ('open', 'closing') and n.ends <= :now
    and not exists (
        select from arrivals a where a.site = n.site and a.night = n.night
        and steady_age_s(a.arrived_at) < :quiet_s)
    and (n.closing_since is null or steady_age_s(n.closing_since) > :quiet_s)
order by n.night;
