-- What the metrics for Prometheus ask of the ledger. Each question is about the newest night, or about what is unfinished,
-- so that it costs the same in every year.

-- name: newest_night^
-- row: NewestNight
-- nullable: closed_at
select night, state, begins, ends, closed_at from nights where site = :site order by night desc limit 1;

-- name: files_by_disposition
-- row: FilesOfDisposition
select disposition, count(*) as files from arrivals where site = :site and night = :night group by 1 order by 1;

-- name: exposures_by_state
-- row: ExposuresOfState
select image_type, state, count(*) as exposures from exposures
where site = :site and night = :night and instrument = :instrument group by 1, 2 order by 1, 2;

-- name: units_by_state
-- row: UnitsOfState
select state, count(*) as units from units
where instrument = :instrument and night = :night and tier = :tier::tier and campaign = :campaign group by 1 order by 1;

-- name: open_attempts
-- row: OpenAttempts
-- Of all nights: what the runner has, or is about to get.
select j.kind, a.state, count(*) as attempts
from attempts a join jobs j using (job_key)
where a.state in ('intended', 'submitted') and j.site = :site group by 1, 2 order by 1, 2;

-- name: alerts_by_state
-- row: AlertsOfState
select state, count(*) as alerts from alerts where site = :site and night = :night group by 1 order by 1;

-- name: alert_latencies^
-- row: AlertLatencies
-- nullable: p50, p95, worst
-- From the last file's arrival to the broker's word, in seconds, over the last exposures that have alerts.
with recent as (
    select instrument, exposure_id, last_arrival_at from exposures
    where site = :site and night = :night and image_type = 'science' and state = 'ended'
    order by shutter_open desc, exposure_id desc limit :exposures
), latencies as (
    select extract(epoch from o.acknowledged_at - e.last_arrival_at)::double precision as seconds
    from recent e
    join units u on u.instrument = e.instrument and u.exposure_id = e.exposure_id and u.night = :night
    join alerts a on a.unit_key = u.unit_key and a.night = :night
    join outbox o on o.candid = a.candid and o.shutter_open = a.shutter_open
    where o.state = 'acknowledged'
)
select percentile_cont(0.5) within group (order by seconds) as p50,
    percentile_cont(0.95) within group (order by seconds) as p95, max(seconds) as worst
from latencies;

-- name: open_troubles
-- row: OpenTroubles
select site, level, count(*) as troubles from troubles
where site = any (:sites::text[]) and ended_at is null and acknowledged_at is null group by 1, 2 order by 1, 2;
