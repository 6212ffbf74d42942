-- As before, without the frames of an open night that were reduced without a master: they are reduced again when it
-- serves, and a reference lasts. When the night closes, what serves by then is all that comes, and they count.
create or replace function reference_frames(of_instrument text, of_field integer, of_filter text, of_campaign text,
    of_tier tier, lacking text[], since date)
returns table (unit_key text, detector smallint, quadrant smallint, exposure_id text, shutter_open timestamptz,
    site text, night date, fwhm_px double precision, zero_point double precision, calibrated_key text,
    calibrated_path text, calibrated_sha256 text, sources_key text, sources_path text, sources_sha256 text,
    place bigint, settled boolean)
language sql stable as $$
    select u.unit_key, u.detector, u.quadrant, e.exposure_id, e.shutter_open, e.site, e.night, q.fwhm_px,
        q.zero_point, c.product_key, c.path, c.sha256, s.product_key, s.path, s.sha256,
        row_number() over (partition by u.detector, u.quadrant order by e.shutter_open, e.exposure_id),
        coalesce((e.shutter_open, e.exposure_id) < (x.shutter_open, x.exposure_id), true)
    from exposures e
    join units u on u.instrument = e.instrument and u.exposure_id = e.exposure_id and u.night = e.night
        and u.night >= since
    join image_quality q on q.unit_key = u.unit_key and q.night = e.night and q.night >= since
    join products c on c.unit_key = u.unit_key and c.leaves_with = e.night and c.kind = 'calibrated'
        and c.deleted_at is null and c.leaves_with >= since and c.leaves_with < 'infinity'
    join products s on s.unit_key = u.unit_key and s.leaves_with = e.night and s.kind = 'sources'
        and s.deleted_at is null and s.leaves_with >= since and s.leaves_with < 'infinity'
    left join (
        select o.shutter_open, o.exposure_id from exposures o
        where o.image_type = 'science' and o.state <> 'ended' and o.instrument = of_instrument
            and o.field = of_field and o.filter = of_filter
        order by o.shutter_open, o.exposure_id limit 1) x on true
    where e.instrument = of_instrument and e.field = of_field and e.filter = of_filter
        and e.image_type = 'science'
        and u.state = 'processed' and q.good and u.campaign = of_campaign and u.tier = of_tier
        and not exists (select from reference_images r where r.field = of_field and r.instrument = of_instrument
            and r.detector = u.detector and r.quadrant = u.quadrant and r.filter = of_filter
            and r.campaign = any (lacking))
        and not exists (select from reduced_without_master w join nights n on n.site = w.site and n.night = w.night
            where w.unit_key = u.unit_key and n.state = 'open')
$$;

-- An object goes with its only candidate: who else has it is looked for by its name.
create index on candidates (object_id) where object_id is not null;
create index on alerts (object_id) where object_id is not null;
