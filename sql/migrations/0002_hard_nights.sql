-- The outcome of a night follows the order of the sky and not the pace of the machine, and the night waits for storage.

-- Whether a difference's alerts have had their turn. In a field they are released in the order of these moments: of
-- the frame's own shutter, or where it is later, of its reference's last member, without which it had no difference.
alter table differences add column turn timestamptz; -- null: its own shutter
alter table differences add column released_at timestamptz; -- when its alerts were decided on; null: not yet
update differences set released_at = coalesce(ended_at, now());
create index on differences (ended_at) where released_at is null;

-- Where the broker keeps nothing, an acknowledgement is worth no more than its life.
alter table outbox add column acknowledged_by text; -- the life of an embedded broker; null: a broker that keeps

create function turn_of(unit text, reference text) returns timestamptz language sql stable as $$
    select greatest(e.shutter_open, (
        select max(x.shutter_open) from reference_members m
        join units y on y.unit_key = m.unit_key
        join exposures x on x.instrument = y.instrument and x.exposure_id = y.exposure_id
        where m.reference_key = reference))
    from units u join exposures e using (instrument, exposure_id) where u.unit_key = unit
$$;

-- One row a searched difference, with what its alerts and the history of later ones say of it.
create or replace view searches as
select d.unit_key, d.campaign, c.number as campaign_number, d.reference_key, d.limiting_magnitude,
       u.instrument, u.exposure_id, u.detector, u.quadrant,
       e.site, e.night, e.ut_day, e.field, e.filter, e.exposure_s, e.shutter_open, e.program_id,
       q.zero_point, q.zero_point_rms, q.stars_matched, q.corners_deg,
       r.version as reference_version, r.frames as reference_frames,
       p.path as difference_path, coalesce(d.turn, e.shutter_open) as turn
from differences d
join campaigns c using (campaign)
join units u using (unit_key)
join exposures e using (instrument, exposure_id)
join reference_images r using (reference_key)
left join image_quality q using (unit_key)
left join products p on p.product_key = d.product_key
where d.state = 'processed';

-- Time that counts for no deadline -----------------------------------------------------------------------------

-- The last look at the inbox, in one row: by the clock, and by a clock that nobody can set.
create table watch (
    one boolean primary key default true check (one),
    looked_at timestamptz not null,
    before_that timestamptz, -- the look before
    boot text not null, -- of the machine whose steady clock it is
    steady_s double precision not null
);

-- Spans that no deadline counts: nobody was watching, or the clock was set.
create table pauses (
    pause_id bigint generated always as identity primary key,
    kind text not null check (kind in ('unwatched', 'clock_step')),
    until_at timestamptz not null, -- moments up to this one, by the clock as it was, were before its end
    after_at timestamptz not null, -- the first look after it
    seconds double precision not null -- to be left out; negative where the clock was set back
);
create index on pauses (until_at);

-- Seconds since a moment, without the pauses after it. A moment that lies in the future was before the clock was set
-- back; one that lies between is taken as after that, so that it waits too long rather than too short.
create function steady_age_s(moment timestamptz) returns double precision language sql stable as $$
    select extract(epoch from clock_timestamp() - moment)::double precision - coalesce((
        select sum(p.seconds) from pauses p
        where moment <= least(p.until_at, p.after_at) or (moment > clock_timestamp() and p.pause_id >= (
            select max(b.pause_id) from pauses b where b.seconds < 0 and moment <= b.until_at))), 0)
$$;

-- What the night waits for --------------------------------------------------------------------------------------

-- Folders that may be mounts. A marker in each says that it is the one that this ledger knows, and no empty mount point.
create table storage (
    name text primary key check (name in ('depot', 'archive')),
    marker text not null,
    known_since timestamptz not null default now()
);

-- What the night waits for now; empty while all is well.
create table waits (
    name text primary key, -- depot, archive, inbox, or alerts: the queued ones
    why text not null,
    since timestamptz not null default now()
);
