-- What is watched while a night is open.

-- name: claim_look!
-- Who gets the row looks; nobody else does for a while.
insert into night_looks (site) values (:site)
on conflict (site) do update set looked_at = now()
where night_looks.looked_at < now() - make_interval(secs => :every_s) or night_looks.looked_at > now();

-- name: open_night$
-- nullable: night
select night from nights where site = :site and state = 'open' order by night desc limit 1;

-- name: alarms
-- row: KnownAlarm
select kind, subject, instrument, message, since from night_alarms where site = :site order by since, kind, subject;

-- name: put_alarm!
insert into night_alarms (site, kind, subject, instrument, message)
values (:site, :kind, :subject, :instrument, :message)
on conflict do nothing;

-- name: delete_alarm!
delete from night_alarms where site = :site and kind = :kind and subject = :subject;

-- name: quiet_s$
-- nullable: seconds
-- For how long no frame of a night has come, pauses left out; null: none has come at all.
select steady_age_s(max(last_arrival_at)) as seconds from exposures where site = :site and night = :night;

-- name: silent_detectors
-- row: SilentDetector
-- Detectors that were expected in each of the last exposures and of which no frame came in any. An exposure that frames
-- may still come of is none of them.
with recent as (
    select instrument, exposure_id, detectors_expected from exposures
    where instrument = :instrument and night = :night and image_type = 'science'
        and steady_age_s(last_arrival_at) > :wait_s
    order by shutter_open desc, exposure_id desc limit :exposures
)
select d.detector from recent e cross join unnest(e.detectors_expected) as d (detector)
left join raw_frames f on f.instrument = e.instrument and f.exposure_id = e.exposure_id and f.detector = d.detector
group by d.detector having count(distinct e.exposure_id) = :exposures and count(f.detector) = 0 order by d.detector;

-- name: recent_medians
-- row: RecentMedian
-- Medians over the quadrants of the last exposures, by filter, where enough of them were measured.
with recent as (
    select instrument, exposure_id, night, filter from exposures
    where instrument = :instrument and night = :night and image_type = 'science' and state = 'ended'
    order by shutter_open desc, exposure_id desc limit :exposures
)
select e.filter, m.name, percentile_cont(0.5) within group (order by i.values[m.position]) as median
from recent e
join units u on u.instrument = e.instrument and u.exposure_id = e.exposure_id and u.night = :night
join image_measurements i on i.unit_key = u.unit_key and i.night = :night
cross join measurements m
where u.tier = :tier::tier and u.campaign = :campaign and m.name = any (:names::text[])
    and i.values[m.position] is not null
group by e.filter, m.name having count(distinct e.exposure_id) >= :at_least order by e.filter, m.name;

-- name: usual_of_night
-- row: UsualMeasurement
select filter, name, median, nights from usual_measurements where instrument = :instrument and night = :night;

-- name: put_usual!
insert into usual_measurements (instrument, night, filter, name, median, nights)
values (:instrument, :night, :filter, :measurement, :median, :nights) on conflict do nothing;

-- name: forget_usual!
delete from usual_measurements where instrument = :instrument and night < :night;

-- name: recent_reasons
-- row: RecentReason
-- How the quadrants of the last exposures ended.
with recent as (
    select instrument, exposure_id from exposures
    where instrument = :instrument and night = :night and image_type = 'science' and state = 'ended'
    order by shutter_open desc, exposure_id desc limit :exposures
)
select coalesce(u.reason, '') as reason, count(*) as units, count(distinct e.exposure_id) as exposures
from recent e join units u on u.instrument = e.instrument and u.exposure_id = e.exposure_id and u.night = :night
where u.tier = :tier::tier and u.campaign = :campaign
group by 1 order by 1;

-- name: detectors_above
-- row: DetectorAbove
-- Detectors whose frames were all above a bound in the last exposures that they were measured in.
with recent as (
    select instrument, exposure_id from exposures
    where instrument = :instrument and night = :night and image_type = 'science'
    order by shutter_open desc, exposure_id desc limit :exposures
)
select i.detector, min(i.values[m.position]) as least, count(distinct e.exposure_id) as exposures
from recent e
join units u on u.instrument = e.instrument and u.exposure_id = e.exposure_id and u.night = :night
join image_measurements i on i.unit_key = u.unit_key and i.night = :night
cross join measurements m
where u.tier = :tier::tier and u.campaign = :campaign and m.name = :measurement and i.values[m.position] is not null
group by i.detector
having count(distinct e.exposure_id) >= 2 and min(i.values[m.position]) > :bound order by i.detector;
