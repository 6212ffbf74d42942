-- What a night is planned by: what the nights before it took.

-- name: earlier_exposures
-- row: EarlierExposure
-- nullable: field
-- Of the last nights of an instrument that have science exposures, in shutter order.
with nights_with_science as (
    select distinct night from exposures
    where site = :site and instrument = :instrument and night >= :first and night < :night and image_type = 'science'
    order by night desc limit 3
)
select e.night, e.image_type, e.field, e.filter, e.exposure_s, e.shutter_open, e.program_id
from nights_with_science n join exposures e on e.site = :site and e.night = n.night and e.instrument = :instrument
order by e.shutter_open, e.exposure_id;

-- name: attempt_costs
-- row: AttemptCost
-- nullable: cpu_s, wall_s, memory_mb
-- Medians of a site's attempts of some nights by kind of work, of those that ended with a result.
select j.kind, count(*)::integer as attempts,
    percentile_cont(0.5) within group (order by (
        select sum(value::float8) from jsonb_each_text(a.seconds))) as cpu_s,
    percentile_cont(0.5) within group (order by extract(epoch from a.ended_at - a.created_at)::float8) as wall_s,
    percentile_cont(0.5) within group (order by a.peak_memory_mb) as memory_mb
from attempts a join jobs j using (job_key)
where j.site = :site and a.night >= :first and a.night < :night and a.state in ('succeeded', 'rejected')
group by j.kind order by j.kind;

-- name: product_sizes
-- row: ProductSize
-- Files and bytes that a site made in some nights, by kind of product, and of how many nights.
select kind, count(*)::integer as files, sum(bytes)::float8 as bytes, count(distinct night)::integer as nights
from products
where site = :site and night >= :first and night < :night
    and (leaves_with >= :first and leaves_with < :night or leaves_with = 'infinity')
group by kind order by kind;

-- name: raw_sizes
-- row: RawSize
-- Of an instrument's raw frames of some nights, by type of image.
select e.image_type, count(*)::integer as files, sum(r.bytes)::float8 as bytes,
    count(distinct e.exposure_id)::integer as exposures, count(distinct e.night)::integer as nights
from exposures e join raw_frames r using (instrument, exposure_id)
where e.site = :site and e.instrument = :instrument and e.night >= :first and e.night < :night
group by e.image_type order by e.image_type;

-- name: references_in_service
-- row: ReferencesOfField
-- How many quadrants of some detectors have a reference that serves at a moment, by field and filter.
select field, filter, count(distinct (detector, quadrant))::integer as quadrants, min(valid_from) as since
from reference_images
where instrument = :instrument and state = 'in_service' and campaign = :campaign and field = any (:fields::integer[])
    and detector = any (:detectors::smallint[]) and valid_from <= :moment and (valid_to is null or valid_to > :moment)
group by field, filter order by field, filter;

-- name: good_frames
-- row: GoodFrames
-- not null: field
-- How many good exposures of a field and filter there are since a night that a first reference could be made of.
select e.field, e.filter, count(distinct e.exposure_id)::integer as exposures
from exposures e join units u using (instrument, exposure_id, night)
where e.instrument = :instrument and e.field = any (:fields::integer[]) and e.image_type = 'science'
    and u.state = 'processed' and u.campaign = :campaign and u.night >= :first
group by e.field, e.filter order by e.field, e.filter;
