-- A new measurement of an image is a row, and needs no migration.

-- Names of measurements. Filled from the registry (nightshift/vocabulary/measurements.py) at every migration; one that
-- is no longer there stays.
create table measurements (
    name text primary key,
    position smallint not null unique check (position >= 1), -- in `image_measurements`; without gaps, and never given to another
    unit text not null,
    says text not null
);
insert into measurements (name, position, unit, says)
select name, position, '', ''
from unnest(array['fwhm_px', 'elongation', 'background', 'background_rms', 'zero_point', 'zero_point_rms',
    'stars_matched', 'astrometry_rms_arcsec', 'pointing_offset_arcsec', 'limiting_magnitude', 'sources',
    'saturated_fraction', 'masked_fraction', 'cosmic_ray_pixels', 'same_value_fraction', 'thousands_fraction',
    'read_noise_ratio', 'pattern_noise', 'trails', 'psf_stars', 'zero_point_stars', 'zero_point_uncertainty',
    'zero_point_zenith', 'colour_term']) with ordinality as n (name, position);

-- What every image was measured for, also one that was rejected. The view `image_quality` shows the same with a column
-- for each measurement: read that.
create table image_measurements (
    unit_key text primary key references units (unit_key),
    instrument text not null,
    exposure_id text not null,
    detector smallint not null,
    quadrant smallint not null,
    good boolean not null, -- no `fail` threshold is broken
    warnings text[] not null default '{}',
    corners_deg double precision[], -- ra, dec of the four corners
    measured_at timestamptz not null default now(),
    values double precision[] not null -- by the position in `measurements`; null or past the end: not measured
);
insert into image_measurements
select unit_key, instrument, exposure_id, detector, quadrant, good, warnings, corners_deg, measured_at,
    array[fwhm_px, elongation, background, background_rms, zero_point, zero_point_rms, stars_matched,
        astrometry_rms_arcsec, pointing_offset_arcsec, limiting_magnitude, sources, saturated_fraction,
        masked_fraction, cosmic_ray_pixels, same_value_fraction, thousands_fraction, read_noise_ratio, pattern_noise,
        trails, psf_stars, zero_point_stars, zero_point_uncertainty, zero_point_zenith, colour_term]
from image_quality;

-- Views that read the old table are taken down, the nearest last, and put up again on the view of its name.
create temporary table views_of_image_quality on commit drop as
with recursive readers as (
    select 'image_quality'::regclass::oid as oid, 0 as depth
    union
    select r.ev_class, readers.depth + 1
    from readers join pg_depend d on d.refobjid = readers.oid and d.classid = 'pg_rewrite'::regclass
    join pg_rewrite r on r.oid = d.objid
    where r.ev_class <> readers.oid
)
select oid::regclass::text as name, max(depth) as depth, pg_get_viewdef(oid) as definition
from readers where depth > 0 group by oid;

do $$
declare v record;
begin
    for v in select * from views_of_image_quality order by depth desc loop
        execute 'drop view ' || v.name;
    end loop;
end $$;

drop table image_quality;
create view image_quality as
select i.unit_key, i.instrument, i.exposure_id, i.detector, i.quadrant, i.good, i.warnings, i.corners_deg,
    i.measured_at, i.values[1] as fwhm_px, i.values[2] as elongation, i.values[3] as background,
    i.values[4] as background_rms, i.values[5] as zero_point, i.values[6] as zero_point_rms,
    i.values[7] as stars_matched, i.values[8] as astrometry_rms_arcsec, i.values[9] as pointing_offset_arcsec,
    i.values[10] as limiting_magnitude, i.values[11] as sources, i.values[12] as saturated_fraction,
    i.values[13] as masked_fraction, i.values[14] as cosmic_ray_pixels, i.values[15] as same_value_fraction,
    i.values[16] as thousands_fraction, i.values[17] as read_noise_ratio, i.values[18] as pattern_noise,
    i.values[19] as trails, i.values[20] as psf_stars, i.values[21] as zero_point_stars,
    i.values[22] as zero_point_uncertainty, i.values[23] as zero_point_zenith, i.values[24] as colour_term
from image_measurements i;

do $$
declare v record;
begin
    for v in select * from views_of_image_quality order by depth loop
        execute 'create view ' || v.name || ' as ' || v.definition;
    end loop;
end $$;
