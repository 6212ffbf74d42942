-- What the parts of the morning's report ask of the ledger.

-- Products ---------------------------------------------------------------------------------------------------

-- name: products_by_kind
-- row: ProductsOfKind
-- In the order in which the first of each kind was made.
select p.kind, count(*) as files, sum(p.bytes)::bigint as bytes, min(p.made_at) as first_made,
    max(p.made_at) as last_made
from products p
where p.site = :site and p.night = :night and p.leaves_with in (:night, 'infinity') and p.campaign = :campaign
group by p.kind order by min(p.made_at), p.kind;

-- name: products_in_time
-- row: ProductsInTime
-- How many of each kind were made in each of so many equal steps of time, counted from 1.
select p.kind, greatest(least(width_bucket(extract(epoch from p.made_at - :begins)::double precision, 0,
        extract(epoch from :ends::timestamptz - :begins)::double precision, :steps), :steps), 1) as step,
    count(*) as files
from products p
where p.site = :site and p.night = :night and p.leaves_with in (:night, 'infinity') and p.campaign = :campaign
group by 1, 2 order by 1, 2;

-- name: sources_in_time
-- row: SourcesInTime
-- The same of the sources that were extracted from science frames, by when their image was measured.
select greatest(least(width_bucket(extract(epoch from i.measured_at - :begins)::double precision, 0,
        extract(epoch from :ends::timestamptz - :begins)::double precision, :steps), :steps), 1) as step,
    coalesce(sum(i.values[m.position]), 0)::bigint as sources
from exposures e
join units u on u.instrument = e.instrument and u.exposure_id = e.exposure_id and u.night = e.night
join image_measurements i on i.unit_key = u.unit_key and i.night = u.night
cross join measurements m
where e.site = :site and e.night = :night and u.night = :night and i.night = :night and e.image_type = 'science'
    and u.tier = :tier::tier and u.campaign = :campaign and m.name = 'sources'
group by 1 order by 1;

-- From the shutter to the alert --------------------------------------------------------------------------------

-- name: was_live$
-- nullable: live
-- Whether the night was worked on while it lasted: of a replayed one, the time from shutter to arrival says nothing.
select exists (
    select from exposures e join nights n using (site, night)
    where e.site = :site and e.night = :night and e.last_arrival_at >= n.begins and e.last_arrival_at < n.ends) as live;

-- name: slowest_alerts
-- row: SlowAlert
-- nullable: built_at, released_at
-- not null: acknowledged_at, ended_at, searched_at
-- The slowest alert of each of the slowest exposures, with the moments that its way is measured by.
select * from (
    select distinct on (e.instrument, e.exposure_id) a.candid, a.object_id, a.unit_key, e.instrument, e.exposure_id,
        e.shutter_open + make_interval(secs => e.exposure_s) as shutter_closed, e.last_arrival_at, u.ended_at,
        r.built_at, d.ended_at as searched_at, a.released_at, o.acknowledged_at
    from outbox o
    join alerts a using (candid, shutter_open)
    join candidates c on c.shutter_open = a.shutter_open and c.candid = a.candid
    join units u on u.unit_key = a.unit_key and u.night = a.night
    join exposures e on e.instrument = u.instrument and e.exposure_id = u.exposure_id
    join differences d on d.unit_key = a.unit_key and d.night = a.night and d.campaign = a.campaign
    left join reference_images r on r.reference_key = c.reference_key
    where a.site = :site and a.night = :night and o.state = 'acknowledged'
        and u.ended_at is not null and d.ended_at is not null
    order by e.instrument, e.exposure_id, o.acknowledged_at desc, a.candid
) slow
order by acknowledged_at - case when :live then shutter_closed else last_arrival_at end desc, candid limit :most;

-- name: ways_of_units
-- row: WayOfUnit
-- nullable: requested_at, seconds
-- Each job that worked on some units and succeeded: when it was asked for, was given to the runner and ended, and how
-- many seconds of that were work.
select a.unit_key, j.kind, min(r.requested_at) as requested_at, a.created_at, a.ended_at,
    (a.seconds ->> 'total')::double precision as seconds
from attempts a join jobs j using (job_key) left join runs r on r.subject = a.job_key
where a.unit_key = any (:unit_keys::text[]) and a.night = :night and j.campaign = :campaign
    and a.state in ('succeeded', 'rejected') and a.ended_at is not null
group by a.unit_key, j.kind, a.created_at, a.ended_at, a.seconds order by a.unit_key, a.ended_at;

-- Image quality against the nights before ------------------------------------------------------------------------

-- name: nights_before
-- row: NightBefore
-- The last so many nights of an instrument with science frames, before this one; the latest first.
select distinct night from exposures
where instrument = :instrument and image_type = 'science' and night < :night
order by night desc limit :most;

-- name: measurements_of_nights
-- row: MeasurementOfNight
-- nullable: median
-- Of each of some nights, filters and measurements the median over the units; null where it was made on none.
select e.night, e.filter, m.name, percentile_cont(0.5) within group (order by i.values[m.position]) as median
from exposures e
join units u on u.instrument = e.instrument and u.exposure_id = e.exposure_id and u.night = e.night
join image_measurements i on i.unit_key = u.unit_key and i.night = u.night
cross join measurements m
where e.instrument = :instrument and e.night = any (:nights::date[]) and u.night = any (:nights::date[])
    and i.night = any (:nights::date[]) and e.image_type = 'science' and u.tier = :tier::tier
    and u.campaign = :campaign and m.name = any (:names::text[])
group by e.night, e.filter, m.name order by e.filter, m.name, e.night;

-- Astrometry -------------------------------------------------------------------------------------------------

-- name: units_of_reasons
-- row: UnitOfReason
-- not null: reason
select e.instrument, u.reason, u.unit_key, u.detail
from exposures e join units u using (instrument, exposure_id, night)
where e.site = :site and e.night = :night and u.night = :night and u.tier = :tier::tier and u.campaign = :campaign
    and u.reason = any (:reasons::text[]) and u.state <> 'processed'
order by u.reason, u.unit_key;

-- Other sites -------------------------------------------------------------------------------------------------

-- name: nights_of_sites
-- row: NightOfSite
-- nullable: state, closed_at, sent_at
-- not null: site
-- How the night of the same date stands at some sites.
select s.site, n.state, n.closed_at, r.sent_at,
    (select count(*) from exposures e
     where e.site = s.site and e.night = :night and e.image_type = 'science') as exposures,
    (select count(*) from alerts a
     where a.site = s.site and a.night = :night and a.state in ('sent', 'retracted')) as alerts
from unnest(:sites::text[]) as s (site)
left join nights n on n.site = s.site and n.night = :night
left join reports r on r.site = s.site and r.night = :night and r.kind = :kind
order by s.site;
