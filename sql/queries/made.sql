-- Masters, references and alerts: their stories, and what a person says of them.

-- name: master^
-- row: MasterStory
-- nullable: path, sha256, code_version
select c.calibration_key, c.state, c.reason, c.detail, c.frames, c.level, c.noise, c.read_noise, c.gain, c.valid_from,
    c.built_at, p.path, p.sha256, p.code_version
from calibrations c left join products p on p.product_key = c.product_key and p.leaves_with = 'infinity'
where c.calibration_key = :key;

-- name: master_frames
-- row: MasterFrame
select f.instrument, f.exposure_id, f.detector, f.accepted, f.reason, f.level
from calibration_frames f where f.calibration_key = :key order by f.exposure_id, f.detector;

-- name: reference^
-- row: ReferenceStory
-- nullable: path, sha256, code_version
select r.reference_key, r.state, r.reason, r.detail, r.frames, r.fwhm_px, r.zero_point, r.limiting_magnitude,
    r.valid_from, r.requested_by, r.request_reason, r.built_at, p.path, p.sha256, p.code_version
from reference_images r left join products p on p.product_key = r.product_key and p.leaves_with = 'infinity'
where r.reference_key = :key;

-- name: reference_members
-- row: MemberOfReference
select m.unit_key, m.weight from reference_members m where m.reference_key = :key order by m.position;

-- name: attempts_at
-- row: AttemptAtIt
-- A master or reference is of no exposure, so every month is looked at.
select a.job_key, a.attempt, a.state, a.reason, a.detail, a.host, a.created_at
from attempts a where a.unit_key = :key order by a.created_at, a.attempt;

-- name: made_with_it
-- row: MadeWithIt
-- How many units, masters and references were made with a master or reference, by kind of product.
select p.kind, count(distinct p.product_key) as products, min(p.unit_key) as first_unit
from products o join product_inputs i on i.input_key = o.product_key join products p on p.product_key = i.product_key and p.leaves_with = i.leaves_with
where o.unit_key = :key and o.leaves_with = 'infinity' group by p.kind order by p.kind;

-- name: alert^
-- row: AlertStory
-- nullable: state, reason, released_at, packet_path
select c.candid, c.shutter_open, c.unit_key, c.reference_key, c.object_id, c.number, c.ra_deg, c.dec_deg,
    c.signal_to_noise, c.magnitude, c.positive, a.state, a.reason, a.released_at, a.packet_path
from candidates c left join alerts a on a.candid = c.candid and a.shutter_open = c.shutter_open
where c.candid = :candid;

-- name: messages_of_alert
-- row: MessageOfAlert
select o.topic, o.state, o.acknowledged_at, o.broker_partition, o.broker_offset, o.last_error
from outbox o where o.candid = :candid and o.shutter_open = :shutter_open order by o.topic;

-- name: withdraw_master!
update calibrations set state = 'withdrawn', reason = 'operator_rejected', detail = :explanation
where calibration_key = :key and state = 'in_service';

-- name: restore_master^
-- row: RestoredMaster
update calibrations set state = 'in_service', reason = null, detail = ''
where calibration_key = :key and state = 'withdrawn' and reason = 'operator_rejected'
returning kind, instrument, detector, quadrant, filter, night, epoch, version, campaign;

-- name: unset_reference!
update reference_images set state = 'unset', reason = 'operator_rejected', detail = :explanation
where reference_key = :key and state = 'in_service';

-- name: restore_reference!
update reference_images set state = 'in_service', reason = null, detail = ''
where reference_key = :key and state = 'unset' and reason = 'operator_rejected';

-- name: withhold_alert!
-- One that was not sent yet, with its messages.
with kept as (
    update alerts set state = 'withheld', reason = 'operator_rejected'
    where candid = :candid and state in ('held', 'released')
    returning candid, shutter_open)
update outbox set state = 'withheld'
where state in ('held', 'queued') and (candid, shutter_open) in (select candid, shutter_open from kept);

-- name: send_alert_after_all!
with back as (
    update alerts set state = 'released', reason = null
    where candid = :candid and state = 'withheld' and reason = 'operator_rejected' and packet_path is not null
    returning candid, shutter_open)
update outbox set state = 'queued', queued_at = clock_timestamp()
where state = 'withheld' and (candid, shutter_open) in (select candid, shutter_open from back);

-- name: last_word^
-- row: LastWord
-- What a person said last of a thing.
select o.verdict, o.explanation, o.operator, o.made_at
from overrides o where o.subject = :subject order by o.override_id desc limit 1;

-- name: frames_of_exposure
-- row: FrameOfExposure
select r.detector from raw_frames r where r.instrument = :instrument and r.exposure_id = :exposure_id order by r.detector;

-- name: disposed_file^
-- row: DisposedFile
-- The newest file of that name or arrival key that was in quarantine and of which somebody has disposed.
select a.inbox_name, q.disposed_as, q.disposed_by, q.disposed_at
from quarantine q join arrivals a using (arrival_key)
where (a.inbox_name = :thing or a.arrival_key = :thing) and q.disposed_at is not null
order by q.disposed_at desc limit 1;
