-- Maps of what was observed.

-- name: images_of_night
-- Every processed image of a night of which its place on the sky is known.
-- row: ImageOnSky
-- nullable: limiting_magnitude
-- not null: corners_deg
select u.unit_key, u.exposure_id, e.filter, 'own_catalogue' = any (u.flags) as relative, q.limiting_magnitude,
    q.corners_deg
from image_quality q
join units u using (unit_key, night)
join exposures e on e.instrument = u.instrument and e.exposure_id = u.exposure_id and e.night = u.night
where e.site = :site and e.night = :night and e.instrument = :instrument and e.image_type = 'science'
    and u.tier = :tier::tier and u.campaign = :campaign and u.state = 'processed' and q.corners_deg is not null
order by u.unit_key;

-- name: product^
-- Of a night; one that lasts is found whatever its night is.
-- row: CoverageProduct
select unit_key, kind, night, path, sha256, bytes from products
where product_key = :product_key and leaves_with in (:night, 'infinity') and deleted_at is null;

-- name: maps
-- The maps of a site: of single nights and of all, as their keys say.
-- row: CoverageProduct
select unit_key, kind, night, path, sha256, bytes from products
where site = :site and kind = 'coverage_map' and leaves_with = 'infinity' and deleted_at is null
order by unit_key;

-- name: failed_last$
-- Whether the last that was said of a night's maps is that they failed.
select coalesce((select kind = 'coverage_failed' from events
    where kind in ('coverage_failed', 'coverage_made') and subject = :subject
    order by event_id desc limit 1), false) as failed;

-- name: count_to_night!
-- The map of all nights goes into the archive of the night that changed it last.
update products set night = :night where product_key = :product_key and leaves_with = 'infinity' and night <> :night;

-- name: files_of_kind
-- row: CoverageProduct
select unit_key, kind, night, path, sha256, bytes from products
where site = :site and kind = :kind and night between :since and :until and leaves_with between :since and :until
    and deleted_at is null
order by night desc;
