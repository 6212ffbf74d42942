-- The candidates of a night as a table for readers.

-- name: places
-- row: CandidatePlace
select candid, ra_deg, dec_deg from candidates
where site = :site and night = :night and campaign = :campaign order by candid;

-- name: layouts
-- How the records of a night's candidates are kept.
-- row: RecordLayout
select layout, number_names, single_names, text_names, common from record_layouts
where layout in (select layout from candidates where site = :site and night = :night and campaign = :campaign)
order by layout;

-- name: rows
-- Some candidates of a night, with when each was released in its field's order. A shutter opens on the date of its
-- night, or the day before or after it.
-- row: CandidateRow
-- nullable: object_id, field, magnitude, magnitude_error
-- not null: release_order_at, singles
select c.candid, c.object_id, c.unit_key, u.instrument, u.exposure_id, u.detector, u.quadrant, c.field, c.filter,
    c.shutter_open, coalesce(d.release_order_at, c.shutter_open) as release_order_at, c.ra_deg, c.dec_deg, c.x, c.y,
    c.positive, c.signal_to_noise, c.magnitude, c.magnitude_error, c.number, c.processing_id, c.reference_key, c.layout,
    c.numbers, coalesce(c.singles, '{}') as singles, c.texts
from candidates c
join units u on u.unit_key = c.unit_key and u.night = c.night
join differences d on d.unit_key = c.unit_key and d.campaign = c.campaign and d.night = c.night
where c.candid = any (:candids::bigint[]) and c.night = :night
    and c.shutter_open >= (:night::date - 1)::timestamptz and c.shutter_open < (:night::date + 3)::timestamptz;
