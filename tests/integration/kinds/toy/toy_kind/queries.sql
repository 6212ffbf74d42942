-- What a toy needs of the ledger.

-- name: files_without
-- Raw files whose brightest pixel is not known, the newest exposure first.
-- row: UnmeasuredFile
-- nullable: exposure_id
select r.instrument, r.exposure_id, r.detector, r.path, r.sha256, e.site, e.night
from raw_frames r
join exposures e using (instrument, exposure_id)
where (:exposure_id::text is null or r.exposure_id = :exposure_id)
    and not exists (select from products p
        where p.unit_key = 'toy/' || r.instrument || '/' || r.exposure_id || '/' || r.detector)
order by e.shutter_open desc, r.detector;
