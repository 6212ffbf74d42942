-- A person accepts or rejects a frame: what the word means, and what follows from it.

-- name: lock_disposal
-- One at a time; released with the transaction.
select pg_advisory_xact_lock(hashtextextended('override/' || :subject, 0));

-- name: request_known^
-- row: KnownRequest
select detail ->> 'text' as text from audit where action = :action and detail ->> 'request_id' = :request_id limit 1;

-- name: frame_called
-- row: FrameCalled
-- nullable: night
-- A registered frame by its file's name (of one night, where it is given) or by its key.
with called as (
    select instrument, exposure_id, detector from raw_frames
    where inbox_name = :thing and (:night::date is null or night = :night::date)
    union
    select instrument, exposure_id, detector from raw_frames
    where instrument = split_part(:thing, '/', 1) and exposure_id = split_part(:thing, '/', 2)
        and instrument || '/' || exposure_id || '/d' || case when detector < 10 then '0' else '' end || detector
            = :thing
)
select r.instrument, r.exposure_id, r.detector, r.inbox_name, r.invalid_reason, e.image_type
from called join raw_frames r using (instrument, exposure_id, detector)
join exposures e using (instrument, exposure_id);

-- name: unit_called^
-- nullable: inbox_name, invalid_reason
select u.unit_key, u.instrument, u.exposure_id, u.detector, u.quadrant, u.state, u.reason,
    r.inbox_name, r.invalid_reason
from units u left join raw_frames r using (instrument, exposure_id, detector)
where u.unit_key = :thing and u.night = night_of(:thing);

-- name: quarantined_called^
-- row: FileInQuarantine
-- nullable: night
-- The newest file in quarantine of that name or arrival key of which nobody has disposed.
select a.arrival_key, a.inbox_name, a.disposition, a.bytes, a.sha256, q.path, q.reason, q.detail
from quarantine q join arrivals a using (arrival_key)
where ((a.inbox_name = :thing and (:night::date is null or a.night = :night::date)) or a.arrival_key = :thing)
    and q.disposed_at is null
order by a.arrived_at desc limit 1;

-- name: nights_called
-- row: NightCalled
-- not null: night
-- The nights that have a registered frame, or a file in quarantine of which nobody has disposed, of that name.
select night from raw_frames where inbox_name = :thing
union
select a.night from quarantine q join arrivals a using (arrival_key)
where a.inbox_name = :thing and q.disposed_at is null and not a.night_by_clock
order by night;

-- name: put_override!
insert into overrides (subject, verdict, explanation, operator)
values (:subject, :verdict, :explanation, :operator);

-- name: dispose!
update quarantine set disposed_at = now(), disposed_by = :operator, disposed_as = :disposed_as
where arrival_key = :arrival_key;

-- name: invalidate_frame!
update raw_frames set invalid_reason = 'operator_rejected'
where instrument = :instrument and exposure_id = :exposure_id and detector = :detector and invalid_reason is null;

-- name: validate_frame!
update raw_frames set invalid_reason = null
where instrument = :instrument and exposure_id = :exposure_id and detector = :detector;

-- name: reject_units
-- row: ChangedUnit
-- nullable: quadrant
-- Of a frame, or one of them. A result that is still under way will change them no more.
update units set state = 'rejected', reason = 'operator_rejected', detail = :explanation, ended_at = now()
where instrument = :instrument and exposure_id = :exposure_id and detector = :detector
    and night = night_of(:instrument || '/' || :exposure_id)
    and (:quadrant::smallint is null or quadrant = :quadrant::smallint) and campaign = :campaign
    and (state, reason) is distinct from ('rejected'::unit_state, 'operator_rejected')
returning unit_key;

-- name: withhold_alerts!
-- What was not sent yet stays here.
with kept as (
    update alerts set state = 'withheld', reason = 'operator_rejected'
    where unit_key = any (:unit_keys::text[]) and shutter_open = opening_of((:unit_keys::text[])[1])
        and state in ('held', 'released')
    returning candid, shutter_open)
update outbox set state = 'withheld'
where state in ('held', 'queued') and (candid, shutter_open) in (select candid, shutter_open from kept);

-- name: send_after_all!
-- What was withheld because somebody rejected its unit, now that the unit stands again.
with back as (
    update alerts set state = 'released', reason = null
    where unit_key = any (:unit_keys::text[]) and shutter_open = opening_of((:unit_keys::text[])[1]) and state = 'withheld' and reason = 'operator_rejected'
        and packet_path is not null
    returning candid, shutter_open)
update outbox set state = 'queued', queued_at = clock_timestamp()
where state = 'withheld' and (candid, shutter_open) in (select candid, shutter_open from back);

-- name: restore_units
-- row: ChangedUnit
-- nullable: quadrant
-- What had succeeded before somebody rejected it stands again; of what succeeded later nothing was kept.
update units u set state = 'processed', reason = null, detail = '', ended_at = now()
where u.instrument = :instrument and u.exposure_id = :exposure_id and u.detector = :detector
    and u.night = night_of(:instrument || '/' || :exposure_id)
    and (:quadrant::smallint is null or u.quadrant = :quadrant::smallint) and u.campaign = :campaign
    and u.state = 'rejected' and u.reason = 'operator_rejected'
    and exists (select from (
            select a.job_key, a.attempt, a.state from attempts a join jobs j using (job_key)
            where a.unit_key = u.unit_key and a.night = u.night and j.kind = any (:reducing::text[])
            order by a.created_at desc, a.attempt desc limit 1) last
        join products p on p.unit_key = u.unit_key and p.leaves_with = u.night and p.job_key = last.job_key
            and p.attempt = last.attempt
        where last.state = 'succeeded')
returning unit_key;

-- name: reopen_units
-- row: ChangedUnit
-- nullable: quadrant
-- They are due once more.
update units set state = 'pending', reason = null, detail = '', ended_at = null
where instrument = :instrument and exposure_id = :exposure_id and detector = :detector
    and night = night_of(:instrument || '/' || :exposure_id)
    and (:quadrant::smallint is null or quadrant = :quadrant::smallint) and campaign = :campaign
    and state in ('rejected', 'failed', 'missing')
returning unit_key;

-- name: reopen_exposure!
update exposures e set state = 'arriving', ended_at = null
where e.instrument = :instrument and e.exposure_id = :exposure_id and e.state = 'ended'
    and exists (select from units u where u.instrument = e.instrument and u.exposure_id = e.exposure_id
        and u.night = night_of(:instrument || '/' || :exposure_id) and u.state = 'pending');

-- name: made_with
-- row: ProductMadeWith
-- Masters and references that were made with a frame or with its units before.
select distinct p.unit_key
from product_inputs i join products p using (product_key, leaves_with)
where leaves_with = 'infinity' and p.kind in ('bias', 'dark', 'flat', 'reference')
    and (i.input_key = :frame_key or i.input_key in (
        select o.product_key from units u join products o using (unit_key)
        where u.night = night_of(:frame_key) and o.leaves_with = night_of(:frame_key) and u.instrument = split_part(:frame_key, '/', 1) and u.exposure_id = split_part(:frame_key, '/', 2)
            and starts_with(u.unit_key, :frame_key || '/')))
order by p.unit_key;

-- name: overrides_about
-- row: OverrideAbout
select made_at, subject, verdict, explanation, operator
from overrides where subject = any (:subjects::text[]) order by override_id;
