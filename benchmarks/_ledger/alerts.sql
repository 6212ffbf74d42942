-- Candidates of the nights `newest` to `oldest`, the first few of each difference with an alert that was sent. The first
-- two alerts of a difference are of objects that nobody saw before, the others of the second of those.
insert into candidates (candid, shutter_open, unit_key, campaign, reference_key, number, processing_id, site, night, field,
    filter, ra_deg, dec_deg, x, y, positive, signal_to_noise, magnitude, magnitude_error, layout, numbers, singles, texts)
select p.pid * 100000 + 15000 + c, e.shutter_open, u.unit_key, 'live', d.reference_key, c, p.pid, e.site, e.night, e.field, e.filter,
    p.ra, p.de, 3000 * random(), 3000 * random(), true, 5 + 20 * random(), 20.1, 0.1, l.layout,
    array(select 1000 * random() + c from unnest(l.number_names)),
    array(select (1000 * random() + c)::real from unnest(l.single_names)), '{}'
from exposures e join units u using (instrument, exposure_id, night) join differences d using (unit_key, night)
cross join generate_series(1, %(candidates)s) c cross join (select * from record_layouts order by layout desc limit 1) l
cross join lateral (select (extract(epoch from e.shutter_open)::bigint - 1483228800) * 1000 + u.detector * 10 + u.quadrant as pid,
    (e.ra_deg + 7 * random())::numeric %% 360 as ra, least(89.9, e.dec_deg + 7 * random()) as de) p
where night between %(evening)s::date - %(oldest)s and %(evening)s::date - %(newest)s
order by e.shutter_open, u.detector, u.quadrant, c;
insert into objects (object_id, site, ra_deg, dec_deg, first_candid, detections, first_seen, last_seen)
select 'ZTF' || lpad(to_hex(candid), 16, '0'), site, ra_deg, dec_deg, candid, 1, shutter_open, shutter_open
from candidates where number <= least(2, %(alerts)s) and night between %(evening)s::date - %(oldest)s
    and %(evening)s::date - %(newest)s;
insert into alerts (candid, shutter_open, object_id, unit_key, campaign, site, night, state, schema_version, packet_path, packet_offset,
    packet_bytes, packet_sha256, released_at)
select candid, shutter_open, 'ZTF' || lpad(to_hex(candid - greatest(0, number - 2)), 16, '0'), unit_key, campaign, site, night, 'sent', '4.02',
    'alerts/' || night || '/' || split_part(unit_key, '/', 2) || '/live_0123456789ab.tar', 512 + 65536 * number, 60000,
    encode(sha256(candid::text::bytea), 'hex'), shutter_open
from candidates where number <= %(alerts)s and night between %(evening)s::date - %(oldest)s and %(evening)s::date - %(newest)s;
insert into outbox (candid, shutter_open, topic, state, queued_at, acknowledged_at, broker_partition, broker_offset, tries)
select candid, shutter_open, 'ztf_' || to_char(night, 'YYYYMMDD') || '_programid1', 'acknowledged', shutter_open, shutter_open, 0, candid, 1
from alerts where night between %(evening)s::date - %(oldest)s and %(evening)s::date - %(newest)s;
