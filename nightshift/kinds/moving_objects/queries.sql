-- A night's detections, and the tracklets that they are linked into.

-- name: detections_of_night
-- row: Detection
select c.candid, c.ra_deg, c.dec_deg, c.magnitude, c.signal_to_noise, c.unit_key, c.shutter_open, e.exposure_s
from candidates c
join units u using (unit_key, night)
join exposures e on e.instrument = u.instrument and e.exposure_id = u.exposure_id
where c.site = :site and c.night = :night and c.campaign = :campaign and c.positive and u.state = 'processed'
    and c.signal_to_noise >= :signal_to_noise
order by c.shutter_open, c.candid;

-- name: delete_tracklets!
delete from tracklets where site = :site and night = :night and campaign = :campaign;

-- name: put_tracklet!
insert into tracklets (site, night, campaign, number, tracklet_key, detections, begins, ends, ra_deg, dec_deg,
    rate_deg_per_day, position_angle_deg, residual_arcsec, magnitude)
values (:site, :night, :campaign, :number, :tracklet_key, :detections, :begins, :ends, :ra_deg, :dec_deg,
    :rate_deg_per_day, :position_angle_deg, :residual_arcsec, :magnitude);

-- name: put_tracklet_members!
insert into tracklet_members (tracklet_key, candid, position, residual_arcsec)
select :tracklet_key, m.candid, m.position, m.residual_arcsec
from jsonb_to_recordset((:members)::jsonb -> 'rows')
    as m (candid bigint, position smallint, residual_arcsec double precision);
