-- Objects, packets and the outbox.

-- name: lock_association!
select pg_advisory_xact_lock(hashtext('nightshift.association'));

-- name: objects_of
-- row: NamedDetection
select candid, object_id from candidates where candid = any(:candids::bigint[]) and object_id is not null
union
select first_candid, object_id from objects where first_candid = any(:candids::bigint[]);

-- name: objects_in_windows
-- row: SkyObject
select distinct o.object_id, o.ra_deg, o.dec_deg
from unnest(:items::integer[], :zones::integer[], :lows::float8[], :highs::float8[]) as w (item, zone, low, high)
join objects o on o.zone = w.zone and o.ra_deg between w.low and w.high;

-- name: add_objects
-- row: AddedObject
insert into objects (object_id, site, ra_deg, dec_deg, first_candid, detections, first_seen, last_seen)
select n.object_id, n.site, n.ra_deg, n.dec_deg, n.candid, 0, n.seen, n.seen
from unnest(:names::text[], :sites::text[], :ras::float8[], :decs::float8[], :candids::bigint[], :times::timestamptz[])
    as n (object_id, site, ra_deg, dec_deg, candid, seen)
on conflict (object_id) do nothing
returning object_id, first_candid;

-- name: count_detections!
update objects o
set detections = o.detections + n.detections, first_seen = least(o.first_seen, n.first_seen),
    last_seen = greatest(o.last_seen, n.last_seen)
from (
    select object_id, count(*) as detections, min(seen) as first_seen, max(seen) as last_seen
    from unnest(:names::text[], :times::timestamptz[]) as d (object_id, seen)
    group by object_id
) as n
where o.object_id = n.object_id;

-- name: set_objects!
update candidates c
set object_id = n.object_id
from unnest(:candids::bigint[], :times::timestamptz[], :names::text[]) as n (candid, shutter_open, object_id)
where c.candid = n.candid and c.shutter_open = n.shutter_open and c.object_id is null;

-- name: fields_awaiting_release
-- Where something awaits its release.
-- row: FieldAwaitingRelease
select distinct e.instrument, e.field, d.campaign
from differences d join units u using (unit_key, night) join exposures e using (instrument, exposure_id)
where d.night >= first_unreleased_night() and u.night >= first_unreleased_night()
    and e.instrument = :instrument and d.released_at is null and d.state = 'processed' and u.state = 'processed'
order by e.instrument, e.field, d.campaign;

-- name: next_in_release_order
-- The differences of the exposure that is next in its field, and whether something that comes before it in the order
-- of release is still open: not reduced yet, or reduced and to be differenced with a reference that is there or for
-- which enough good frames are there.
-- row: NextDifference
-- nullable: waits_for
with visits as (
    select u.unit_key, u.detector, u.quadrant, u.state, e.exposure_id, e.shutter_open, e.filter
    from exposures e join nights n using (site, night) join units u using (instrument, exposure_id, night)
    where e.instrument = :instrument and e.field = :field and e.image_type = 'science' and u.campaign = :campaign
        and n.state in ('open', 'closing') and u.night >= first_open_night()
), coming as (
    select w.filter, f.detector, f.quadrant, f.last_member
    from fields_without_reference w
    cross join lateral first_references(
        w.instrument, w.field, w.filter, w.campaign, :tier::tier, :campaigns::text[], :at_least,
        first_night_without_reference(:instrument, :campaign)) f
    where :serves_now and w.instrument = :instrument and w.field = :field and w.campaign = :campaign
), undifferenced as (
    select v.* from visits v join undifferenced d using (unit_key) where d.campaign = :campaign
), still_open as (
    select v.shutter_open as release_order_at, v.shutter_open, v.exposure_id
    from visits v where v.state in ('pending', 'running')
    union all
    select release_order_of(v.unit_key, r.reference_key), v.shutter_open, v.exposure_id
    from undifferenced v join reference_images r on r.instrument = :instrument and r.field = :field
        and r.detector = v.detector and r.quadrant = v.quadrant and r.filter = v.filter and r.state = 'in_service'
        and r.campaign = any (:campaigns::text[])
        and r.valid_from <= v.shutter_open and (r.valid_to is null or r.valid_to > v.shutter_open)
    union all
    select greatest(v.shutter_open, c.last_member), v.shutter_open, v.exposure_id
    from undifferenced v join coming c using (filter, detector, quadrant)
), waiting as (
    select d.unit_key, coalesce(d.release_order_at, e.shutter_open) as release_order_at, e.shutter_open, e.exposure_id,
        steady_age_s(d.ended_at) as waited_s
    from differences d join units u using (unit_key, night) join exposures e using (instrument, exposure_id)
    where e.instrument = :instrument and e.field = :field and d.campaign = :campaign and d.state = 'processed'
        and u.state = 'processed' and d.released_at is null
        and d.night >= first_unreleased_night() and u.night >= first_unreleased_night()
), first as (
    select release_order_at, shutter_open, exposure_id from waiting
    order by release_order_at, shutter_open, exposure_id limit 1
)
select w.unit_key, w.exposure_id, w.waited_s, (
    select o.exposure_id from still_open o
    where (o.release_order_at, o.shutter_open, o.exposure_id) < (w.release_order_at, w.shutter_open, w.exposure_id)
    order by o.release_order_at, o.shutter_open, o.exposure_id limit 1) as waits_for
from waiting w join first f using (release_order_at, shutter_open, exposure_id) order by w.unit_key;

-- name: lock_units_that_stand
-- Which of some units are processed; nobody rejects one of them before the transaction has ended.
-- row: StandingUnit
select unit_key from units
where unit_key = any(:unit_keys::text[]) and night = any(nights_of(:unit_keys::text[])) and state = 'processed'
order by unit_key for share;

-- name: set_released!
-- Its alerts were decided on, those of a difference without any too.
update differences set released_at = clock_timestamp()
where unit_key = any(:unit_keys::text[]) and night = any(nights_of(:unit_keys::text[])) and campaign = :campaign
  and released_at is null;

-- name: searches_of_units
-- Of one exposure.
-- row: Search
-- nullable: limiting_magnitude, field, zero_point, zero_point_rms, stars_matched, corners_deg, difference_path
select * from searches(night_of((:unit_keys::text[])[1]), night_of((:unit_keys::text[])[1]))
where unit_key = any(:unit_keys::text[]) order by unit_key;

-- name: searches_of_field
-- A shutter opens on the date of its night, or the day before or after it.
-- row: Search
-- nullable: limiting_magnitude, field, zero_point, zero_point_rms, stars_matched, corners_deg, difference_path
select * from searches(
    (:since::timestamptz at time zone 'UTC')::date - 1, (:before::timestamptz at time zone 'UTC')::date + 1)
where instrument = :instrument and field = :field and campaign = :campaign and corners_deg is not null
  and shutter_open >= :since and shutter_open < :before and release_order_at <= :release_order_at
order by shutter_open, unit_key;

-- name: searches_so_far
-- Since the survey began, as far as the ledger holds it.
-- row: SearchCount
select u.detector, u.quadrant, count(*) as searches
from exposures e join units u using (instrument, exposure_id, night) join differences d using (unit_key, night)
where e.instrument = :instrument and e.field = :field and d.campaign = :campaign and d.state = 'processed'
  and e.shutter_open <= :until and coalesce(d.release_order_at, e.shutter_open) <= :release_order_at
group by u.detector, u.quadrant;

-- name: candidates_of_units
-- row: Candidate
-- nullable: alert_state
select c.candid, c.shutter_open, c.unit_key, c.number, c.processing_id, c.site, c.ra_deg, c.dec_deg, c.x, c.y,
       c.positive, c.signal_to_noise, c.magnitude, c.magnitude_error,
       unpack_record(c.layout, c.numbers, c.singles, c.texts) as record, a.state as alert_state
from candidates c
left join alerts a on a.candid = c.candid and a.shutter_open = c.shutter_open
where c.unit_key = any(:unit_keys::text[]) and c.shutter_open = :shutter_open and c.campaign = :campaign
order by c.candid;

-- name: detections_in_windows
-- row: EarlierDetection
select w.item, c.candid, c.shutter_open, c.unit_key, c.number, c.processing_id, c.site, c.ra_deg, c.dec_deg, c.x, c.y,
       c.positive, c.signal_to_noise, c.magnitude, c.magnitude_error,
       unpack_record(c.layout, c.numbers, c.singles, c.texts) as record
from unnest(:items::integer[], :zones::integer[], :lows::float8[], :highs::float8[]) as w (item, zone, low, high)
join candidates c on c.zone = w.zone and c.ra_deg between w.low and w.high
join differences d on d.unit_key = c.unit_key and d.campaign = c.campaign and d.night = c.night
where c.campaign = :campaign and c.shutter_open >= :since and c.shutter_open < :before
  and d.night between (:since::timestamptz at time zone 'UTC')::date - 1
    and (:before::timestamptz at time zone 'UTC')::date + 1
  and coalesce(d.release_order_at, c.shutter_open) <= :release_order_at
order by w.item, c.shutter_open, c.candid;

-- name: detection_times_in_windows
-- Since the survey began, as far as the ledger holds it: every month is looked into, by an index.
-- row: DetectionTime
select w.item, c.candid, c.shutter_open, c.unit_key, c.field, c.ra_deg, c.dec_deg
from unnest(:items::integer[], :zones::integer[], :lows::float8[], :highs::float8[]) as w (item, zone, low, high)
join candidates c on c.zone = w.zone and c.ra_deg between w.low and w.high
join differences d on d.unit_key = c.unit_key and d.campaign = c.campaign and d.night = c.night
where c.campaign = :campaign and c.shutter_open <= :until
  and coalesce(d.release_order_at, c.shutter_open) <= :release_order_at
order by w.item, c.shutter_open, c.candid;

-- name: reference_spans
-- row: ReferenceSpan
select m.reference_key, min(e.shutter_open) as begins, max(e.shutter_open) as ends
from reference_members m
join exposures e on e.instrument = split_part(m.unit_key, '/', 1) and e.exposure_id = split_part(m.unit_key, '/', 2)
where m.reference_key = any(:reference_keys::text[])
group by m.reference_key;

-- name: cutouts_of_units
-- row: CutoutsFile
-- not null: unit_key
select unit_key, path, sha256 from products
where unit_key = any(:unit_keys::text[]) and leaves_with = any(nights_of(:unit_keys::text[])) and kind = 'cutouts'
  and deleted_at is null;

-- name: published_packets
-- Packets of before a restore of the ledger: what was published under a candid stays.
-- row: PublishedPacket
select candid, packet_path, packet_offset, packet_bytes, packet_sha256 from published_packets
where candid = any(:candids::bigint[]);

-- name: put_alerts!
insert into alerts (candid, shutter_open, object_id, unit_key, campaign, site, night, state, schema_version,
                    packet_path, packet_offset, packet_bytes, packet_sha256, released_at)
select n.candid, :shutter_open, n.object_id, n.unit_key, :campaign, :site, :night, 'released', :schema_version,
       :packet_path, n.packet_offset, n.packet_bytes, n.packet_sha256, clock_timestamp()
from unnest(:candids::bigint[], :names::text[], :unit_keys::text[], :offsets::bigint[], :sizes::integer[],
            :digests::text[]) as n (candid, object_id, unit_key, packet_offset, packet_bytes, packet_sha256)
on conflict (candid, shutter_open) do update
set object_id = excluded.object_id, state = excluded.state, reason = null, schema_version = excluded.schema_version,
    packet_path = excluded.packet_path, packet_offset = excluded.packet_offset,
    packet_bytes = excluded.packet_bytes, packet_sha256 = excluded.packet_sha256, released_at = excluded.released_at
where alerts.state = 'held';

-- name: queue_messages!
insert into outbox (candid, shutter_open, topic, state, queued_at)
select candid, :shutter_open, :kafka_topic, 'queued', now() from unnest(:candids::bigint[]) as n (candid)
on conflict (candid, topic, shutter_open) do update set state = 'queued', queued_at = excluded.queued_at
where outbox.state = 'held';

-- name: withhold_alerts!
insert into alerts (candid, shutter_open, unit_key, campaign, site, night, state, reason)
select candid, :shutter_open, :unit_key, :campaign, :site, :night, 'withheld', :reason
from unnest(:candids::bigint[]) as n (candid)
on conflict (candid, shutter_open) do update
set state = excluded.state, reason = excluded.reason where alerts.state = 'held';

-- name: withhold_messages!
insert into outbox (candid, shutter_open, topic, state)
select candid, :shutter_open, :kafka_topic, 'withheld' from unnest(:candids::bigint[]) as n (candid)
on conflict (candid, topic, shutter_open) do update set state = 'withheld' where outbox.state = 'held';

-- name: queued
-- row: QueuedMessage
-- not null: object_id, packet_path, packet_offset, packet_bytes, packet_sha256, queued_at
select o.candid, o.shutter_open, o.topic, o.queued_at, a.object_id, a.packet_path, a.packet_offset, a.packet_bytes,
    a.packet_sha256
from outbox o
join alerts a using (candid, shutter_open)
where o.state = 'queued' and (o.queued_at, o.candid, o.topic) > (:after_time, :after_candid, :after_topic)
order by o.queued_at, o.candid, o.topic
limit :most;

-- name: acknowledge!
with delivered as (
    update outbox o
    set state = 'acknowledged', acknowledged_at = clock_timestamp(), broker_partition = n.broker_partition,
        broker_offset = n.broker_offset, tries = o.tries + 1, last_error = null
    from unnest(:candids::bigint[], :times::timestamptz[], :topics::text[], :partitions::integer[], :offsets::bigint[])
        as n (candid, shutter_open, topic, broker_partition, broker_offset)
    where o.candid = n.candid and o.shutter_open = n.shutter_open and o.topic = n.topic and o.state = 'queued'
    returning o.candid, o.shutter_open
)
update alerts a set state = 'sent' from delivered d
where a.candid = d.candid and a.shutter_open = d.shutter_open and a.state = 'released';

-- name: note_failures!
update outbox o
set tries = least(o.tries + 1, 32767), last_error = n.error
from unnest(:candids::bigint[], :times::timestamptz[], :topics::text[], :errors::text[])
    as n (candid, shutter_open, topic, error)
where o.candid = n.candid and o.shutter_open = n.shutter_open and o.topic = n.topic and o.state = 'queued';

-- name: withhold_damaged!
with withheld as (
    update outbox set state = 'withheld', last_error = :error
    where candid = :candid and shutter_open = :shutter_open and state = 'queued'
    returning candid, shutter_open
)
update alerts set state = 'withheld', reason = :reason
where state = 'released' and (candid, shutter_open) in (select candid, shutter_open from withheld);

-- name: queue_length$
select count(*) from outbox where state = 'queued';

-- name: packet_place^
-- row: PacketPlace
select candid, state, object_id, packet_path, packet_offset, packet_bytes, packet_sha256 from alerts
where candid = :candid;
