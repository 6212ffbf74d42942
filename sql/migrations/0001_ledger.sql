-- The ledger: what arrived, what is due, what was made from what, what was sent.
-- Enumerated types repeat nightshift/vocabulary/states.py; a test holds them equal.

create type image_type as enum ('bias', 'dark', 'flat', 'science', 'engineering');
create type tier as enum ('preview', 'processed');
create type night_state as enum ('open', 'closing', 'closed', 'unbalanced');
create type disposition as enum ('registered', 'duplicate', 'conflicting', 'quarantined');
create type exposure_state as enum ('arriving', 'running', 'ended');
create type unit_state as enum ('pending', 'running', 'processed', 'rejected', 'failed', 'missing', 'held');
create type job_kind as enum ('master', 'science', 'reference', 'difference', 'moving_objects');
create type attempt_state as enum
    ('intended', 'submitted', 'succeeded', 'rejected', 'failed', 'lost', 'superseded');
create type error_class as enum ('bad_input', 'retry', 'resources', 'needs_operator');
create type calibration_kind as enum ('bias', 'dark', 'flat');
create type calibration_state as enum ('in_service', 'rejected', 'withdrawn');
create type reference_state as enum ('built', 'in_service', 'unset', 'rejected');
create type alert_state as enum ('held', 'released', 'sent', 'withheld', 'retracted');
create type outbox_state as enum ('held', 'queued', 'acknowledged', 'withheld');
create type event_level as enum ('info', 'warning', 'error', 'page');

-- Why things ended otherwise than hoped. Filled from nightshift/vocabulary/reasons.py at every migration.
create table reasons (
    reason text primary key,
    error_class error_class not null,
    sentence text not null
);

create table campaigns (
    campaign text primary key check (campaign ~ '^[a-z0-9_]+$'),
    number smallint not null unique check (number between 0 and 84), -- joins the processing id of its alerts
    purpose text not null,
    created_at timestamptz not null default now()
);
insert into campaigns (campaign, number, purpose) values ('live', 0, 'the night as it happens');

-- Nights ---------------------------------------------------------------------------------------------------

create table nights (
    site text not null,
    night date not null, -- the date of its evening
    begins timestamptz not null, -- local noon
    ends timestamptz not null check (ends > begins),
    state night_state not null default 'open',
    closing_since timestamptz,
    closed_at timestamptz,
    signal text check (signal in ('manifest', 'clock', 'operator')),
    summary jsonb, -- the three identities as they were counted at closing
    primary key (site, night)
);

-- Arrivals and raw frames ------------------------------------------------------------------------------------

create table exposures (
    instrument text not null,
    exposure_id text not null,
    site text not null,
    night date not null,
    ut_day date not null,
    image_type image_type not null,
    field integer, -- null: no field of the survey lies there
    filter text not null default '',
    exposure_s double precision not null check (exposure_s >= 0),
    shutter_open timestamptz not null,
    ra_deg double precision check (ra_deg >= 0 and ra_deg < 360),
    dec_deg double precision check (dec_deg between -90 and 90),
    airmass double precision check (airmass >= 1),
    object text not null default '',
    program_id smallint not null default 1,
    sequence text,
    sequence_index integer check (sequence_index >= 1),
    sequence_length integer check (sequence_length >= 1),
    detectors_expected smallint[] not null,
    first_arrival_at timestamptz not null default now(),
    last_arrival_at timestamptz not null default now(),
    state exposure_state not null default 'arriving',
    run_id text,
    ended_at timestamptz,
    primary key (instrument, exposure_id),
    foreign key (site, night) references nights
);
create index on exposures (site, night, image_type, state);
create index on exposures (field, filter, shutter_open) where image_type = 'science';

create table arrivals (
    arrival_key text primary key, -- name, inode, change time and content: one physical file, once
    inbox_name text not null,
    bytes bigint not null check (bytes >= 0),
    sha256 text check (sha256 ~ '^[0-9a-f]{64}$'), -- null: could not be read
    arrived_at timestamptz not null default now(),
    disposition disposition not null,
    reason text references reasons,
    detail text not null default '',
    site text,
    night date, -- by its header, or by the clock where the header does not say
    instrument text,
    exposure_id text,
    detector smallint,
    kept_path text, -- below the depot: where its bytes are now
    check (disposition <> 'quarantined' or reason is not null)
);
create index on arrivals (site, night, disposition);
create index on arrivals (inbox_name);

create table raw_frames (
    instrument text not null,
    exposure_id text not null,
    detector smallint not null,
    arrival_key text not null references arrivals,
    inbox_name text not null,
    path text not null unique, -- below the depot
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    bytes bigint not null check (bytes > 0),
    registered_at timestamptz not null default now(),
    second_copy text,
    invalid_reason text references reasons, -- set when found bad after it was used
    header jsonb not null,
    primary key (instrument, exposure_id, detector),
    foreign key (instrument, exposure_id) references exposures
);
create unique index on raw_frames (inbox_name);

create table quarantine (
    arrival_key text primary key references arrivals,
    path text not null, -- below the depot
    reason text not null references reasons,
    detail text not null,
    quarantined_at timestamptz not null default now(),
    disposed_at timestamptz,
    disposed_by text,
    disposed_as text
);

-- Units of reduction, jobs and attempts ------------------------------------------------------------------------

create table units (
    instrument text not null,
    exposure_id text not null,
    detector smallint not null,
    quadrant smallint not null,
    tier tier not null default 'processed',
    campaign text not null default 'live' references campaigns,
    unit_key text not null unique, -- the text of this key, as jobs and products call it
    state unit_state not null default 'pending',
    reason text references reasons,
    detail text not null default '',
    flags text[] not null default '{}', -- reason codes that did not stop it
    ended_at timestamptz,
    primary key (instrument, exposure_id, detector, quadrant, tier, campaign),
    foreign key (instrument, exposure_id) references exposures,
    check (state not in ('rejected', 'failed', 'missing', 'held') or reason is not null),
    check ((ended_at is null) = (state in ('pending', 'running')))
);
create index on units (state) where state in ('pending', 'running', 'held');

create table jobs (
    job_key text primary key, -- kind, subject, campaign: the same work is the same job
    kind job_kind not null,
    subject text not null, -- the exposure, calibration set, reference or night that it is for
    campaign text not null default 'live' references campaigns,
    site text not null,
    night date not null,
    created_at timestamptz not null default now(),
    ended_at timestamptz
);

-- One workflow run that was asked for. A subject whose work is not done when its run has ended is asked for again.
create table runs (
    run_id text primary key, -- deterministic, so that asking twice is one run
    dag_id text not null,
    subject text not null, -- the key of its job, or of the night
    conf jsonb not null,
    requested_at timestamptz not null default now(),
    ended_at timestamptz
);
create index on runs (subject);

-- One array given to a runner. The intent is a row before the runner is asked.
create table submissions (
    job_key text not null references jobs,
    submission smallint not null check (submission >= 1),
    name text not null unique, -- the runner's name and comment of the array
    runner text not null,
    airflow_run text,
    airflow_try smallint,
    job_file text not null, -- below the depot; holds the index-to-unit list
    tasks integer not null check (tasks >= 1),
    runner_job_id text, -- null: intended, or the answer was lost
    intended_at timestamptz not null default now(),
    submitted_at timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    primary key (job_key, submission)
);
create index on submissions (runner) where ended_at is null;

create table attempts (
    job_key text not null,
    unit_key text not null, -- of a quadrant, a calibration, a reference or a night
    attempt smallint not null check (attempt >= 1),
    submission smallint not null,
    task_index integer not null check (task_index >= 0),
    token text not null unique,
    folder text not null unique, -- below the depot; of this attempt alone
    state attempt_state not null default 'intended',
    reason text references reasons,
    error_class error_class,
    detail text not null default '',
    restart_count smallint not null default 0,
    host text,
    peak_memory_mb double precision,
    seconds jsonb, -- by step
    created_at timestamptz not null default now(),
    ended_at timestamptz,
    primary key (job_key, unit_key, attempt),
    foreign key (job_key, submission) references submissions
);
create index on attempts (job_key, submission);
create unique index one_open_attempt on attempts (job_key, unit_key) where state in ('intended', 'submitted');

-- Products ---------------------------------------------------------------------------------------------------

create table products (
    product_key text primary key, -- unit key and kind of product
    kind text not null,
    unit_key text not null,
    campaign text not null default 'live' references campaigns,
    site text not null,
    night date not null,
    path text not null unique, -- below the depot
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    bytes bigint not null check (bytes > 0),
    code_version text not null,
    settings_hash text not null,
    job_key text not null references jobs,
    attempt smallint not null,
    made_at timestamptz not null default now(),
    deleted_at timestamptz -- never before it was archived and verified
);
create index on products (unit_key);
create index on products (site, night, kind);

create table product_inputs (
    product_key text not null references products on delete cascade,
    role text not null, -- raw, bias, dark, flat, reference, catalogue, science, ...
    input_key text not null, -- another product's key, or a raw frame's
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    primary key (product_key, role, input_key)
);
create index on product_inputs (input_key); -- "what used this?"

create table calibrations (
    kind calibration_kind not null,
    instrument text not null,
    detector smallint not null,
    quadrant smallint not null,
    filter text not null default '',
    night date not null,
    epoch smallint not null default 1,
    version smallint not null default 1,
    calibration_key text not null unique,
    state calibration_state not null,
    reason text references reasons,
    detail text not null default '',
    product_key text references products,
    frames smallint not null default 0,
    level double precision, -- median, ADU (flat: before it was normalised)
    noise double precision, -- robust standard deviation, ADU (flat: relative)
    valid_from timestamptz not null,
    valid_to timestamptz,
    built_at timestamptz not null default now(),
    primary key (kind, instrument, detector, quadrant, filter, night, epoch, version),
    check (valid_to is null or valid_to > valid_from),
    check (state <> 'in_service' or product_key is not null),
    check (state = 'in_service' or reason is not null)
);

create table calibration_frames (
    calibration_key text not null references calibrations (calibration_key),
    instrument text not null,
    exposure_id text not null,
    detector smallint not null,
    accepted boolean not null,
    reason text references reasons,
    level double precision,
    primary key (calibration_key, instrument, exposure_id, detector),
    foreign key (instrument, exposure_id, detector) references raw_frames,
    check (accepted or reason is not null)
);

create table image_quality (
    unit_key text primary key references units (unit_key),
    instrument text not null,
    exposure_id text not null,
    detector smallint not null,
    quadrant smallint not null,
    fwhm_px double precision,
    elongation double precision,
    background double precision, -- electrons
    background_rms double precision, -- electrons
    zero_point double precision, -- magnitude of 1 electron in the exposure
    zero_point_rms double precision,
    stars_matched integer,
    astrometry_rms_arcsec double precision,
    pointing_offset_arcsec double precision,
    limiting_magnitude double precision, -- 5 sigma, point source
    sources integer,
    saturated_fraction double precision,
    masked_fraction double precision,
    cosmic_ray_pixels integer,
    good boolean not null, -- no `fail` threshold is broken
    warnings text[] not null default '{}',
    corners_deg double precision[], -- ra, dec of the four corners
    measured_at timestamptz not null default now()
);

-- References and differences -----------------------------------------------------------------------------------

create table reference_images (
    field integer not null,
    instrument text not null,
    detector smallint not null,
    quadrant smallint not null,
    filter text not null,
    version smallint not null check (version >= 1),
    reference_key text not null unique,
    state reference_state not null,
    reason text references reasons,
    detail text not null default '',
    product_key text references products,
    frames smallint not null default 0,
    fwhm_px double precision,
    zero_point double precision,
    limiting_magnitude double precision,
    valid_from timestamptz,
    valid_to timestamptz,
    requested_by text not null default 'nightshift',
    request_reason text not null default '',
    built_at timestamptz not null default now(),
    primary key (field, instrument, detector, quadrant, filter, version),
    check (valid_to is null or valid_to > valid_from),
    check (state <> 'in_service' or (product_key is not null and valid_from is not null))
);

create table reference_members (
    reference_key text not null references reference_images (reference_key),
    unit_key text not null references units (unit_key),
    position smallint not null, -- in shutter order, from 1
    weight double precision not null,
    primary key (reference_key, unit_key)
);

create table differences (
    unit_key text not null references units (unit_key),
    reference_key text not null references reference_images (reference_key),
    campaign text not null default 'live' references campaigns,
    state unit_state not null,
    reason text references reasons,
    detail text not null default '',
    product_key text references products,
    candidates integer not null default 0,
    noise_ratio double precision, -- of the score image: 1 where the noise is understood
    limiting_magnitude double precision,
    quality jsonb not null default '{}',
    ended_at timestamptz,
    primary key (unit_key, reference_key, campaign),
    check (state not in ('rejected', 'failed', 'missing', 'held') or reason is not null)
);
create unique index one_difference on differences (unit_key, campaign); -- candids are numbered within it

-- Candidates, objects, alerts --------------------------------------------------------------------------------

create table objects (
    object_id text primary key,
    site text not null,
    ra_deg double precision not null check (ra_deg >= 0 and ra_deg < 360),
    dec_deg double precision not null check (dec_deg between -90 and 90),
    zone integer generated always as (floor((dec_deg + 90) * 360)::integer) stored, -- of 10 arcseconds
    first_candid bigint not null unique,
    detections integer not null default 1,
    first_seen timestamptz not null,
    last_seen timestamptz not null
);
create index on objects (zone, ra_deg);

create table candidates (
    candid bigint not null,
    shutter_open timestamptz not null,
    unit_key text not null,
    campaign text not null,
    reference_key text not null,
    number smallint not null check (number >= 0), -- within the difference, after sorting
    processing_id bigint not null, -- `pid`
    object_id text references objects,
    site text not null,
    night date not null,
    field integer,
    filter text not null,
    ra_deg double precision not null check (ra_deg >= 0 and ra_deg < 360),
    dec_deg double precision not null check (dec_deg between -90 and 90),
    zone integer generated always as (floor((dec_deg + 90) * 360)::integer) stored,
    x double precision not null, -- pixels of the science image, counted from 0
    y double precision not null,
    positive boolean not null,
    signal_to_noise real not null,
    magnitude real,
    magnitude_error real,
    record jsonb not null, -- every measured field of the alert's candidate record
    primary key (shutter_open, candid),
    unique (shutter_open, unit_key, campaign, number)
) partition by range (shutter_open);
create table candidates_default partition of candidates default;

-- The partition of a month is made before its first candidate is written; the default one stays empty.
create function make_candidates_partition(shutter timestamptz) returns void language plpgsql as $$
declare
    month timestamp := date_trunc('month', shutter at time zone 'UTC');
    name text := 'candidates_' || to_char(month, 'YYYYMM');
begin
    if to_regclass(name) is null then
        perform pg_advisory_xact_lock(hashtextextended(name, 0));
        execute format('create table if not exists %I partition of candidates for values from (%L) to (%L)',
            name, month at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
    end if;
end $$;

create index on candidates (zone, ra_deg);
create index on candidates (candid);
create index on candidates (unit_key);
create index on candidates (site, night);

create table alerts (
    candid bigint primary key,
    shutter_open timestamptz not null,
    object_id text references objects, -- null: withheld before it was looked for
    unit_key text not null,
    campaign text not null references campaigns,
    site text not null,
    night date not null,
    state alert_state not null default 'held',
    reason text references reasons,
    schema_version text,
    packet_path text, -- below the depot: the tar of the exposure's packets
    packet_offset bigint,
    packet_bytes integer,
    packet_sha256 text check (packet_sha256 ~ '^[0-9a-f]{64}$'),
    released_at timestamptz,
    foreign key (shutter_open, candid) references candidates,
    check (state in ('held', 'withheld') or (packet_sha256 is not null and object_id is not null)),
    check (state <> 'withheld' or reason is not null)
);
create index on alerts (site, night, state);
create index on alerts (unit_key);

create table outbox (
    candid bigint not null references alerts,
    topic text not null,
    state outbox_state not null default 'held',
    queued_at timestamptz,
    acknowledged_at timestamptz,
    broker_partition integer,
    broker_offset bigint,
    tries smallint not null default 0,
    last_error text,
    primary key (candid, topic),
    check (state <> 'acknowledged' or (acknowledged_at is not null and broker_offset is not null))
);
create index on outbox (queued_at, candid) where state = 'queued';

-- Moving objects ---------------------------------------------------------------------------------------------

create table tracklets (
    site text not null,
    night date not null,
    campaign text not null default 'live' references campaigns,
    number integer not null check (number >= 1), -- after sorting
    tracklet_key text not null unique,
    detections smallint not null check (detections >= 2),
    begins timestamptz not null,
    ends timestamptz not null check (ends > begins),
    ra_deg double precision not null, -- at `begins`
    dec_deg double precision not null,
    rate_deg_per_day double precision not null check (rate_deg_per_day >= 0),
    position_angle_deg double precision not null, -- of the motion, north through east
    residual_arcsec double precision not null,
    magnitude double precision,
    primary key (site, night, campaign, number)
);

create table tracklet_members (
    tracklet_key text not null references tracklets (tracklet_key) on delete cascade,
    candid bigint not null,
    position smallint not null,
    residual_arcsec double precision,
    primary key (tracklet_key, candid)
);

-- Stacking sets: a camera and a sequence of its own ----------------------------------------------------------

create table stacking_sets (
    instrument text not null,
    set_number bigint not null,
    image_type image_type not null,
    field integer,
    filter text not null default '',
    exposure_s double precision not null,
    state unit_state not null default 'pending',
    reason text references reasons,
    complete boolean not null default false,
    night date not null,
    primary key (instrument, set_number)
);

create table stacking_set_members (
    instrument text not null,
    set_number bigint not null,
    exposure_id text not null,
    position smallint not null,
    primary key (instrument, set_number, exposure_id),
    unique (instrument, exposure_id),
    foreign key (instrument, set_number) references stacking_sets,
    foreign key (instrument, exposure_id) references exposures
);

-- End of night -----------------------------------------------------------------------------------------------

create table manifests (
    site text not null,
    night date not null,
    part smallint not null default 1 check (part >= 1),
    parts smallint not null default 1 check (parts >= part), -- the signal is complete when all are here
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    path text not null, -- below the depot
    synthetic boolean not null default false, -- made here from a folder, not by the mountain
    received_at timestamptz not null default now(),
    primary key (site, night, part),
    foreign key (site, night) references nights
);

create table manifest_entries (
    site text not null,
    night date not null,
    part smallint not null,
    file_name text not null,
    bytes bigint not null check (bytes >= 0),
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    primary key (site, night, file_name), -- a name is sent once a night; a correction replaces its entry
    foreign key (site, night, part) references manifests
);

create table archive_files (
    site text not null,
    night date not null,
    path text not null, -- below the archive
    kind text not null,
    source text not null, -- raw frame's, product's or packet tar's path below the depot
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    bytes bigint not null check (bytes >= 0),
    archived_at timestamptz not null default now(),
    verified_at timestamptz, -- read back and found equal
    primary key (site, night, path)
);
create index on archive_files (source);

create table reports (
    site text not null,
    night date not null,
    kind text not null,
    path text not null, -- below the depot
    sent_at timestamptz,
    message_id text,
    primary key (site, night, kind)
);

-- People -----------------------------------------------------------------------------------------------------

create table controls (
    name text primary key,
    value jsonb not null,
    set_by text not null,
    set_at timestamptz not null default now(),
    consumed_value jsonb, -- what the programs last acted on
    consumed_at timestamptz
);

create table overrides ( -- append-only: the newest for a subject holds
    override_id bigint generated always as identity primary key,
    subject text not null, -- key of a raw frame, unit, calibration or reference
    verdict text not null check (verdict in ('accept', 'reject')),
    explanation text not null check (explanation <> ''),
    operator text not null check (operator <> ''),
    made_at timestamptz not null default now()
);
create index on overrides (subject, override_id desc);

create table audit ( -- append-only: who changed what, from where
    audit_id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    operator text not null check (operator <> ''),
    action text not null,
    subject text not null,
    detail jsonb not null default '{}'
);

create table events ( -- append-only: the story of the night
    event_id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    night_time timestamptz, -- by the night's clock
    level event_level not null,
    kind text not null,
    subject text not null default '',
    message text not null,
    detail jsonb not null default '{}'
);
create index on events (subject);
create index on events (at);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only: add a row instead', tg_table_name;
end $$;
create trigger overrides_append_only before update or delete on overrides
    for each row execute function refuse_change();
create trigger audit_append_only before update or delete on audit
    for each row execute function refuse_change();
create trigger events_append_only before update or delete on events
    for each row execute function refuse_change();

-- What was sent stays: neither the alert and its packet nor the candidate behind it changes any more.
create function refuse_change_of_sent() returns trigger language plpgsql as $$
begin
    if old.state in ('sent', 'retracted') then
        if tg_op = 'DELETE' then
            raise exception 'alert % was sent and stays', old.candid;
        end if;
        if new.state not in ('sent', 'retracted') or
           (new.candid, new.object_id, new.unit_key, new.packet_bytes, new.packet_sha256) is distinct from
           (old.candid, old.object_id, old.unit_key, old.packet_bytes, old.packet_sha256) then
            raise exception 'alert % was sent and stays as it is', old.candid;
        end if;
    end if;
    return case tg_op when 'DELETE' then old else new end;
end $$;
create trigger alerts_sent_stay before update or delete on alerts
    for each row execute function refuse_change_of_sent();

create function refuse_change_behind_sent() returns trigger language plpgsql as $$
begin
    if new is distinct from old and
       exists (select from alerts where candid = old.candid and state in ('sent', 'retracted')) then
        raise exception 'candidate % has an alert that was sent and stays as it is', old.candid;
    end if;
    return new;
end $$;
create trigger candidates_sent_stay before update on candidates
    for each row execute function refuse_change_behind_sent();

-- Wake whoever asks the ledger what is due. A lost notice costs a delay, never a frame.
create function notify_due() returns trigger language plpgsql as $$
begin
    perform pg_notify('nightshift_due', tg_table_name);
    return null;
end $$;
create trigger raw_frames_due after insert on raw_frames for each statement execute function notify_due();
create trigger units_due after update on units for each statement execute function notify_due();

-- One row a searched difference, with what its alerts and the history of later ones say of it.
create view searches as
select d.unit_key, d.campaign, c.number as campaign_number, d.reference_key, d.limiting_magnitude,
       u.instrument, u.exposure_id, u.detector, u.quadrant,
       e.site, e.night, e.ut_day, e.field, e.filter, e.exposure_s, e.shutter_open, e.program_id,
       q.zero_point, q.zero_point_rms, q.stars_matched, q.corners_deg,
       r.version as reference_version, r.frames as reference_frames,
       p.path as difference_path
from differences d
join campaigns c using (campaign)
join units u using (unit_key)
join exposures e using (instrument, exposure_id)
join reference_images r using (reference_key)
left join image_quality q using (unit_key)
left join products p on p.product_key = d.product_key
where d.state = 'processed';
