-- All that grows leaves with its month: units, measurements, differences, attempts, products, archive files, events.

-- Before: what says which month a row is of --------------------------------------------------------------------------

alter table kinds add column lasting boolean not null default false; -- what it makes serves later nights, and never leaves
update kinds set lasting = true where kind in ('master', 'reference'); -- from now on the registry says it

-- Where a job's night moves on, its earlier attempts stay with the night in which they were made.
alter table submissions add column night date; -- of its job when it was written down; its attempts are of that night's month
update submissions s set night = j.night from jobs j where j.job_key = s.job_key;
alter table submissions alter column night set not null;

-- Months that were taken out, and where their files are. Of a night of theirs nothing new is written.
create table detached_months (
    month text primary key check (month ~ '^\d{6}$'), -- YYYYMM
    folder text not null,
    operator text not null,
    detached_at timestamptz not null default now()
);
insert into detached_months (month, folder, operator, detached_at)
select subject, detail ->> 'folder', operator, at from (
    select distinct on (subject) * from audit where action in ('detach_month', 'attach_month')
    order by subject, audit_id desc) last
where action = 'detach_month';

-- The functions below find the night of what has a key, so that a statement that is given the key alone reads one month.
-- They are declared immutable for the planner's sake: it then asks them once, before it chooses the partitions. That is
-- true enough: an exposure never changes its night, and Nightshift keeps no plan of a statement beyond its one run.

-- Of a unit, a frame, an exposure, or what was made of one: the key begins with its exposure's. Infinity: with none.
create function night_of(key text) returns date language sql immutable as $$
    select coalesce((select night from exposures
        where instrument = split_part(key, '/', 1) and exposure_id = split_part(key, '/', 2)), 'infinity')
$$;

-- When the shutter opened for it: the moment by which its candidates and alerts lie in their month.
create function opening_of(key text) returns timestamptz language sql immutable as $$
    select shutter_open from exposures
    where instrument = split_part(key, '/', 1) and exposure_id = split_part(key, '/', 2)
$$;

create function nights_of(keys text[]) returns date[] language sql immutable as $$
    select coalesce(array_agg(distinct night_of(k)), '{}') from unnest(keys) as u (k)
$$;

-- Nights of which a job has attempts: one, but for jobs whose subject comes again in later nights.
create function nights_of_job(of_job text) returns date[] language sql immutable as $$
    select coalesce(array_agg(distinct night), '{}') from submissions where job_key = of_job
$$;

-- The night with whose month a job's products leave; infinity: its kind of work makes what lasts.
create function leaves_with(of_job text, of_night date) returns date language sql immutable as $$
    select case when k.lasting then 'infinity' else of_night end
    from jobs j join kinds k using (kind) where j.job_key = of_job
$$;

-- A poll reads from the first night on that has something pending, and no month before it. Infinity: nothing has.

create function first_unended_night(of_instrument text) returns date language sql immutable as $$
    select coalesce((select night from exposures
        where instrument = of_instrument and image_type = 'science' and state <> 'ended'
        order by shutter_open, exposure_id limit 1), 'infinity')
$$;

create function first_open_night() returns date language sql immutable as $$
    select coalesce(min(night), 'infinity') from nights where state in ('open', 'closing')
$$;

-- The night of the first frame of all fields in which a quadrant awaits its first reference.
create function first_night_without_reference(of_instrument text, of_campaign text) returns date
language sql immutable as $$
    select coalesce(min(f.night), 'infinity') from fields_without_reference w cross join lateral (
        select e.night from exposures e
        where e.instrument = w.instrument and e.field = w.field and e.filter = w.filter and e.image_type = 'science'
        order by e.shutter_open limit 1) f
    where w.instrument = of_instrument and w.campaign = of_campaign
$$;

create function first_night_of_field(of_instrument text, of_field integer, of_filter text) returns date
language sql immutable as $$
    select coalesce((select night from exposures
        where instrument = of_instrument and field = of_field and filter = of_filter and image_type = 'science'
        order by shutter_open limit 1), 'infinity')
$$;

-- The tables, one by one ---------------------------------------------------------------------------------------------

-- Rows lie in partitions by the month of their night; events, as candidates, alerts and messages, by the month (UTC) of
-- a moment. An exposure has one night, so that a key which is unique within its month is unique for ever. No foreign key
-- leads to a partitioned table, so that a month can be detached. What they held is kept where rows are written:
-- measurements, differences, attempts and products are recorded by a job on units that its plan read from the ledger,
-- in one transaction for an attempt; a master or reference is written in the transaction of its product, and the members
-- of a reference are units that its plan read. Units and products are never deleted.
alter table reference_members drop constraint reference_members_unit_key_fkey;
alter table undifferenced drop constraint undifferenced_unit_key_fkey;
alter table image_measurements drop constraint image_measurements_unit_key_fkey;
alter table differences drop constraint differences_unit_key_fkey, drop constraint differences_product_key_fkey;
alter table calibrations drop constraint calibrations_product_key_fkey;
alter table reference_images drop constraint reference_images_product_key_fkey;
alter table product_inputs drop constraint product_inputs_product_key_fkey;
alter table sources_without_catalogue drop constraint sources_without_catalogue_product_key_fkey;

drop view searches;
drop view image_quality;
drop index one_difference, one_open_attempt;
alter table units rename to units_before;
alter table image_measurements rename to image_measurements_before;
alter table differences rename to differences_before;
alter table attempts rename to attempts_before;
alter table products rename to products_before;
alter table product_inputs rename to product_inputs_before;
alter table archive_files rename to archive_files_before;
alter table events rename to events_before;

create table units (
    instrument text not null,
    exposure_id text not null,
    detector smallint not null,
    quadrant smallint not null,
    tier tier not null default 'processed',
    campaign text not null default 'live' references campaigns,
    night date not null, -- of its exposure
    unit_key text not null, -- the text of this key, as jobs and products call it
    state unit_state not null default 'pending',
    reason text references reasons,
    detail text not null default '',
    flags text[] not null default '{}', -- reason codes that did not stop it
    ended_at timestamptz,
    primary key (instrument, exposure_id, detector, quadrant, tier, campaign, night),
    unique (unit_key, night),
    foreign key (instrument, exposure_id) references exposures,
    check (state not in ('rejected', 'failed', 'missing', 'held') or reason is not null),
    check ((ended_at is null) = (state in ('pending', 'running')))
) partition by range (night);
create index on units (state) where state in ('pending', 'running', 'held');

-- What every image was measured for, also one that was rejected. The view `image_quality` shows the same with a column
-- for each measurement: read that.
create table image_measurements (
    unit_key text not null,
    night date not null, -- of its unit
    instrument text not null,
    exposure_id text not null,
    detector smallint not null,
    quadrant smallint not null,
    good boolean not null, -- no `fail` threshold is broken
    warnings text[] not null default '{}',
    corners_deg double precision[], -- ra, dec of the four corners
    measured_at timestamptz not null default now(),
    values double precision[] not null, -- by the position in `measurements`; null or past the end: not measured
    primary key (unit_key, night)
) partition by range (night);

create table differences (
    unit_key text not null,
    night date not null, -- of its unit
    reference_key text not null references reference_images (reference_key),
    campaign text not null default 'live' references campaigns,
    state unit_state not null,
    reason text references reasons,
    detail text not null default '',
    product_key text, -- its image
    candidates integer not null default 0,
    noise_ratio double precision, -- of the score image: 1 where the noise is understood
    limiting_magnitude double precision,
    quality jsonb not null default '{}',
    ended_at timestamptz,
    turn timestamptz, -- null: its own shutter
    released_at timestamptz, -- when its alerts were decided on; null: not yet
    primary key (unit_key, campaign, night), -- candids are numbered within it
    check (state not in ('rejected', 'failed', 'missing', 'held') or reason is not null)
) partition by range (night);
create index on differences (ended_at) where released_at is null;
create index on differences (unit_key) where quality ? 'injected_snr5_6';

create table attempts (
    job_key text not null,
    unit_key text not null, -- of a quadrant, a calibration, a reference or a night
    attempt smallint not null check (attempt >= 1),
    submission smallint not null,
    night date not null, -- of its submission
    task_index integer not null check (task_index >= 0),
    token text not null,
    folder text not null, -- below the depot; of this attempt alone
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
    primary key (job_key, unit_key, attempt, night),
    unique (token, night),
    unique (folder, night),
    foreign key (job_key, submission) references submissions
) partition by range (night);
create index on attempts (job_key, submission);
create index on attempts (unit_key);
create unique index one_open_attempt on attempts (job_key, unit_key, night) where state in ('intended', 'submitted');

create table products (
    product_key text not null, -- unit key and kind of product
    leaves_with date not null, -- the night with whose month it leaves; infinity: it serves later nights, and stays
    kind text not null,
    unit_key text not null,
    campaign text not null default 'live' references campaigns,
    site text not null,
    night date not null,
    path text not null, -- below the depot
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    bytes bigint not null check (bytes > 0),
    code_version text not null,
    settings_hash text not null,
    job_key text not null references jobs,
    attempt smallint not null,
    made_at timestamptz not null default now(),
    deleted_at timestamptz, -- never before it was archived and verified
    primary key (product_key, leaves_with),
    unique (path, leaves_with),
    check (leaves_with in (night, 'infinity'))
) partition by range (leaves_with);
create table products_lasting partition of products for values from ('infinity') to (maxvalue);
create index on products (unit_key);
create index on products (site, night, kind);

create table product_inputs (
    product_key text not null,
    leaves_with date not null, -- as its product
    role text not null, -- raw, bias, dark, flat, reference, catalogue, science, ...
    input_key text not null, -- another product's key, or a raw frame's
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    primary key (product_key, role, input_key, leaves_with)
) partition by range (leaves_with);
create table product_inputs_lasting partition of product_inputs for values from ('infinity') to (maxvalue);
create index on product_inputs (input_key); -- "what used this?"

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
) partition by range (night);
create index on archive_files (source);

create sequence event_numbers;
create table events ( -- append-only: the story of the night
    event_id bigint not null default nextval('event_numbers'),
    at timestamptz not null default now(),
    night_time timestamptz, -- by the night's clock
    level event_level not null,
    kind text not null,
    subject text not null default '',
    message text not null,
    detail jsonb not null default '{}',
    primary key (event_id, at)
) partition by range (at);
create table events_default partition of events default; -- of months that have no night yet
create index on events (subject);
create index on events (at);

-- Months -------------------------------------------------------------------------------------------------------------

-- The tables that are partitioned by month, in one place: those by a night's date, and those by a moment. They stand in
-- the order in which an attempt is recorded, so that a month that is made waits for those who record, and they for it.
create function tables_by_month() returns table (parent text, by_date boolean) language sql immutable as $$
    values ('attempts', true), ('products', true), ('product_inputs', true), ('units', true),
        ('image_measurements', true), ('differences', true), ('candidates', false), ('alerts', false),
        ('outbox', false), ('archive_files', true), ('events', false)
$$;

-- Where the partition of a month begins and ends, as its table counts: in dates, or in moments of UTC.
create function bounds_of_month(of_month text, by_date boolean, out begins text, out ends text)
language sql immutable as $$
    select to_char(m, 'YYYY-MM-DD') || zone, to_char(m + interval '1 month', 'YYYY-MM-DD') || zone
    from (select to_date(of_month || '01', 'YYYYMMDD')::timestamp as m,
        case when by_date then '' else ' 00:00+00' end as zone) x
$$;

-- Events of a month without a night lie in the default partition until its first night is registered.
create function move_events(of_month text) returns void language plpgsql as $$
declare
    span record;
begin
    select * into span from bounds_of_month(of_month, false);
    if not exists (select from events_default where at >= span.begins::timestamptz and at < span.ends::timestamptz) then
        return;
    end if;
    lock table events in access exclusive mode;
    execute format('create table %I (like events including all)', 'events_' || of_month);
    alter table events_default disable trigger user; -- they are moved, and none is lost
    execute format('with moved as (delete from events_default where at >= %L and at < %L returning *) '
        'insert into %I select * from moved', span.begins, span.ends, 'events_' || of_month);
    alter table events_default enable trigger user;
    execute format('alter table events attach partition %I for values from (%L) to (%L)', 'events_' || of_month,
        span.begins, span.ends);
end $$;

create function refuse_detached(of_month text) returns void language plpgsql as $$
declare
    away detached_months;
begin
    select * into away from detached_months where month = of_month;
    if found then
        raise exception using message = format('the month %s has left the ledger; its files are in '
            '%s: `nightshift ledger attach %s --folder %s` brings it back', of_month, away.folder, of_month,
            away.folder);
    end if;
end $$;

-- The partitions of a month. They are made when a night is registered, and before a job of a night is.
create function make_partitions(of_month text) returns void language plpgsql as $$
declare
    t record;
    span record;
begin
    if to_regclass('outbox_' || of_month) is not null and to_regclass('events_' || of_month) is not null then
        return;
    end if;
    perform refuse_detached(of_month);
    perform pg_advisory_xact_lock(hashtextextended('months', 0));
    perform move_events(of_month);
    for t in select * from tables_by_month() loop
        select * into span from bounds_of_month(of_month, t.by_date);
        execute format('create table if not exists %I partition of %I for values from (%L) to (%L)',
            t.parent || '_' || of_month, t.parent, span.begins, span.ends);
    end loop;
end $$;

create or replace function make_month(moment timestamptz) returns void language sql as $$
    select make_partitions(to_char(moment at time zone 'UTC', 'YYYYMM'))
$$;

create or replace function night_makes_months() returns trigger language plpgsql as $$
begin
    perform make_partitions(to_char(new.night, 'YYYYMM'));
    perform make_month(new.begins);
    perform make_month(new.ends);
    return null;
end $$;

-- A job may be of a night of which no frame has come yet.
create function job_makes_month() returns trigger language plpgsql as $$
begin
    perform make_partitions(to_char(new.night, 'YYYYMM'));
    return new;
end $$;
create trigger job_makes_month before insert or update of night on jobs
    for each row execute function job_makes_month();

-- A month that was detached before this migration has its units here: those partitions are made, the others not.
do $$
declare
    of_month text;
    t record;
    span record;
begin
    for of_month in
        select to_char(night, 'YYYYMM') from nights union select to_char(night, 'YYYYMM') from jobs
        union select to_char(night, 'YYYYMM') from exposures union select to_char(night, 'YYYYMM') from products_before
        union select to_char(night, 'YYYYMM') from archive_files_before
        union select to_char(begins at time zone 'UTC', 'YYYYMM') from nights
        union select to_char(ends at time zone 'UTC', 'YYYYMM') from nights
    loop
        for t in select * from tables_by_month() where parent not in ('candidates', 'alerts', 'outbox')
            or not exists (select from detached_months d where d.month = of_month) loop
            select * into span from bounds_of_month(of_month, t.by_date);
            execute format('create table if not exists %I partition of %I for values from (%L) to (%L)',
                t.parent || '_' || of_month, t.parent, span.begins, span.ends);
        end loop;
    end loop;
end $$;

-- What there was -----------------------------------------------------------------------------------------------------

insert into units (instrument, exposure_id, detector, quadrant, tier, campaign, night, unit_key, state, reason, detail,
    flags, ended_at)
select u.instrument, u.exposure_id, u.detector, u.quadrant, u.tier, u.campaign, e.night, u.unit_key, u.state, u.reason,
    u.detail, u.flags, u.ended_at
from units_before u join exposures e using (instrument, exposure_id);
insert into image_measurements (unit_key, night, instrument, exposure_id, detector, quadrant, good, warnings,
    corners_deg, measured_at, values)
select i.unit_key, u.night, i.instrument, i.exposure_id, i.detector, i.quadrant, i.good, i.warnings, i.corners_deg,
    i.measured_at, i.values
from image_measurements_before i join units u using (unit_key);
insert into differences (unit_key, night, reference_key, campaign, state, reason, detail, product_key, candidates,
    noise_ratio, limiting_magnitude, quality, ended_at, turn, released_at)
select d.unit_key, u.night, d.reference_key, d.campaign, d.state, d.reason, d.detail, d.product_key, d.candidates,
    d.noise_ratio, d.limiting_magnitude, d.quality, d.ended_at, d.turn, d.released_at
from differences_before d join units u using (unit_key);
insert into attempts (job_key, unit_key, attempt, submission, night, task_index, token, folder, state, reason,
    error_class, detail, restart_count, host, peak_memory_mb, seconds, created_at, ended_at)
select a.job_key, a.unit_key, a.attempt, a.submission, s.night, a.task_index, a.token, a.folder, a.state, a.reason,
    a.error_class, a.detail, a.restart_count, a.host, a.peak_memory_mb, a.seconds, a.created_at, a.ended_at
from attempts_before a join submissions s using (job_key, submission);
insert into products (product_key, leaves_with, kind, unit_key, campaign, site, night, path, sha256, bytes,
    code_version, settings_hash, job_key, attempt, made_at, deleted_at)
select p.product_key, case when k.lasting then 'infinity' else p.night end, p.kind, p.unit_key, p.campaign, p.site,
    p.night, p.path, p.sha256, p.bytes, p.code_version, p.settings_hash, p.job_key, p.attempt, p.made_at, p.deleted_at
from products_before p join jobs j using (job_key) join kinds k on k.kind = j.kind;
insert into product_inputs (product_key, leaves_with, role, input_key, sha256)
select i.product_key, p.leaves_with, i.role, i.input_key, i.sha256
from product_inputs_before i join products p using (product_key);
insert into archive_files (site, night, path, kind, source, sha256, bytes, archived_at, verified_at)
select site, night, path, kind, source, sha256, bytes, archived_at, verified_at from archive_files_before;
insert into events (event_id, at, night_time, level, kind, subject, message, detail)
select event_id, at, night_time, level, kind, subject, message, detail from events_before;
select setval('event_numbers', coalesce(max(event_id), 0) + 1, false) from events;
drop table units_before, image_measurements_before, differences_before, attempts_before, products_before,
    product_inputs_before, archive_files_before, events_before;

alter table sources_without_catalogue add column night date; -- of its unit
update sources_without_catalogue w set night = e.night from exposures e
where e.instrument = w.instrument and e.exposure_id = w.exposure_id;
alter table sources_without_catalogue alter column night set not null;
-- A field's own catalogue serves for years: it does not leave with the month of the frame that it was measured in.
alter table sources_without_catalogue add column kept_path text; -- of a good frame whose month has left
alter table sources_without_catalogue add column kept_sha256 text;

create function nights_of_catalogues(of_instrument text, fields integer[], filters text[]) returns date[]
language sql immutable as $$
    select coalesce(array_agg(distinct w.night), '{}')
    from unnest(fields, filters) as g (field, filter) join sources_without_catalogue w using (field, filter)
    where w.instrument = of_instrument
$$;

-- Views and triggers -------------------------------------------------------------------------------------------------

-- Columns of the measurements are added at every migration.
create view image_quality as
select i.unit_key, i.night, i.instrument, i.exposure_id, i.detector, i.quadrant, i.good, i.warnings, i.corners_deg,
    i.measured_at, i.values[1] as fwhm_px, i.values[2] as elongation, i.values[3] as background,
    i.values[4] as background_rms, i.values[5] as zero_point, i.values[6] as zero_point_rms,
    i.values[7] as stars_matched, i.values[8] as astrometry_rms_arcsec, i.values[9] as pointing_offset_arcsec,
    i.values[10] as limiting_magnitude, i.values[11] as sources, i.values[12] as saturated_fraction,
    i.values[13] as masked_fraction, i.values[14] as cosmic_ray_pixels, i.values[15] as same_value_fraction,
    i.values[16] as thousands_fraction, i.values[17] as read_noise_ratio, i.values[18] as pattern_noise,
    i.values[19] as trails, i.values[20] as psf_stars, i.values[21] as zero_point_stars,
    i.values[22] as zero_point_uncertainty, i.values[23] as zero_point_zenith, i.values[24] as colour_term
from image_measurements i;

-- One row a searched difference of the nights `first` to `last`, with what its alerts and the history of later ones say
-- of it.
create function searches(first date, last date)
returns table (unit_key text, campaign text, campaign_number smallint, reference_key text,
    limiting_magnitude double precision, instrument text, exposure_id text, detector smallint, quadrant smallint,
    site text, night date, ut_day date, field integer, filter text, exposure_s double precision,
    shutter_open timestamptz, program_id smallint, zero_point double precision, zero_point_rms double precision,
    stars_matched double precision, corners_deg double precision[], reference_version smallint,
    reference_frames smallint, difference_path text, turn timestamptz)
language sql stable as $$
    select d.unit_key, d.campaign, c.number, d.reference_key, d.limiting_magnitude,
        u.instrument, u.exposure_id, u.detector, u.quadrant,
        e.site, e.night, e.ut_day, e.field, e.filter, e.exposure_s, e.shutter_open, e.program_id,
        q.zero_point, q.zero_point_rms, q.stars_matched, q.corners_deg,
        r.version, r.frames, p.path, coalesce(d.turn, e.shutter_open)
    from differences d
    join campaigns c using (campaign)
    join units u on u.unit_key = d.unit_key and u.night = d.night
    join exposures e on e.instrument = u.instrument and e.exposure_id = u.exposure_id
    join reference_images r using (reference_key)
    left join image_quality q on q.unit_key = d.unit_key and q.night = d.night and q.night between first and last
    left join products p on p.product_key = d.product_key and p.leaves_with = d.night
        and p.leaves_with between first and last
    where d.state = 'processed' and d.night between first and last and u.night between first and last
$$;

-- A reference's members may have left the ledger: their exposures stay.
create or replace function turn_of(unit text, reference text) returns timestamptz language sql stable as $$
    select greatest(e.shutter_open, (
        select max(x.shutter_open) from reference_members m
        join exposures x on x.instrument = split_part(m.unit_key, '/', 1)
            and x.exposure_id = split_part(m.unit_key, '/', 2)
        where m.reference_key = reference))
    from exposures e where e.instrument = split_part(unit, '/', 1) and e.exposure_id = split_part(unit, '/', 2)
$$;

-- As before, with `since`: a night before which the field has no frame, so that no month before it is looked into.
drop function first_references;
drop function reference_frames;
create function reference_frames(of_instrument text, of_field integer, of_filter text, of_campaign text, of_tier tier,
    lacking text[], since date)
returns table (unit_key text, detector smallint, quadrant smallint, exposure_id text, shutter_open timestamptz,
    site text, night date, fwhm_px double precision, zero_point double precision, calibrated_key text,
    calibrated_path text, calibrated_sha256 text, sources_key text, sources_path text, sources_sha256 text,
    place bigint, settled boolean)
language sql stable as $$
    select u.unit_key, u.detector, u.quadrant, e.exposure_id, e.shutter_open, e.site, e.night, q.fwhm_px,
        q.zero_point, c.product_key, c.path, c.sha256, s.product_key, s.path, s.sha256,
        row_number() over (partition by u.detector, u.quadrant order by e.shutter_open, e.exposure_id),
        coalesce((e.shutter_open, e.exposure_id) < (x.shutter_open, x.exposure_id), true)
    from exposures e
    join units u on u.instrument = e.instrument and u.exposure_id = e.exposure_id and u.night = e.night
        and u.night >= since
    join image_quality q on q.unit_key = u.unit_key and q.night = e.night and q.night >= since
    join products c on c.unit_key = u.unit_key and c.leaves_with = e.night and c.kind = 'calibrated'
        and c.deleted_at is null and c.leaves_with >= since and c.leaves_with < 'infinity'
    join products s on s.unit_key = u.unit_key and s.leaves_with = e.night and s.kind = 'sources'
        and s.deleted_at is null and s.leaves_with >= since and s.leaves_with < 'infinity'
    left join (
        select o.shutter_open, o.exposure_id from exposures o
        where o.image_type = 'science' and o.state <> 'ended' and o.instrument = of_instrument
            and o.field = of_field and o.filter = of_filter
        order by o.shutter_open, o.exposure_id limit 1) x on true
    where e.instrument = of_instrument and e.field = of_field and e.filter = of_filter
        and e.image_type = 'science'
        and u.state = 'processed' and q.good and u.campaign = of_campaign and u.tier = of_tier
        and not exists (select from reference_images r where r.field = of_field and r.instrument = of_instrument
            and r.detector = u.detector and r.quadrant = u.quadrant and r.filter = of_filter
            and r.campaign = any (lacking))
$$;

create function first_references(of_instrument text, of_field integer, of_filter text, of_campaign text, of_tier tier,
    lacking text[], at_least bigint, since date)
returns table (detector smallint, quadrant smallint, last_member timestamptz, site text, night date, settled boolean)
language sql stable as $$
    select f.detector, f.quadrant, f.shutter_open, f.site, f.night, f.settled
    from reference_frames(of_instrument, of_field, of_filter, of_campaign, of_tier, lacking, since) f
    where f.place = at_least
        -- nothing is looked at where the field was not visited often enough
        and at_least <= (select count(*) from exposures e where e.instrument = of_instrument and e.field = of_field
            and e.filter = of_filter and e.image_type = 'science' and e.state = 'ended')
$$;

-- Searched differences whose alerts were not decided on yet. Kept by a trigger, whoever writes differences.
create table unreleased (
    unit_key text not null,
    campaign text not null,
    night date not null,
    primary key (unit_key, campaign)
);
create index on unreleased (night);
insert into unreleased (unit_key, campaign, night)
select unit_key, campaign, night from differences where state = 'processed' and released_at is null;

create function difference_awaits_release() returns trigger language plpgsql as $$
begin
    if new.state = 'processed' and new.released_at is null then
        insert into unreleased (unit_key, campaign, night) values (new.unit_key, new.campaign, new.night)
        on conflict do nothing;
    elsif tg_op = 'UPDATE' then
        delete from unreleased where unit_key = new.unit_key and campaign = new.campaign;
    end if;
    return null;
end $$;

create function first_unreleased_night() returns date language sql immutable as $$
    select coalesce(min(night), 'infinity') from unreleased
$$;

drop function note_undifferenced(text);
create function note_undifferenced(of_unit text, of_night date) returns void language sql as $$
    insert into undifferenced (unit_key, campaign, instrument, exposure_id, detector, quadrant, field, filter,
        shutter_open)
    select u.unit_key, u.campaign, u.instrument, u.exposure_id, u.detector, u.quadrant, e.field, e.filter,
        e.shutter_open
    from units u join exposures e using (instrument, exposure_id) join nights n on n.site = e.site and n.night = e.night
    where u.unit_key = of_unit and u.night = of_night and u.state = 'processed' and u.tier = 'processed'
        and e.image_type = 'science' and e.field is not null and n.state in ('open', 'closing')
        and not exists (select from differences d where d.unit_key = of_unit and d.night = of_night
            and d.campaign = u.campaign)
    on conflict do nothing
$$;

create or replace function note_undifferenced_of_night(of_site text, of_night date) returns void language sql as $$
    select note_undifferenced(u.unit_key, of_night) from exposures e join units u using (instrument, exposure_id)
    where e.site = of_site and e.night = of_night and u.night = of_night and e.image_type = 'science'
        and u.state = 'processed'
$$;

create or replace function unit_awaits_difference() returns trigger language plpgsql as $$
begin
    if new.state = 'processed' then
        perform note_undifferenced(new.unit_key, new.night);
    else
        delete from undifferenced where unit_key = new.unit_key;
    end if;
    return null;
end $$;

create or replace function difference_is_forgotten() returns trigger language plpgsql as $$
begin
    delete from unreleased where unit_key = old.unit_key and campaign = old.campaign;
    perform note_undifferenced(old.unit_key, old.night);
    return null;
end $$;

drop function note_sources(text, text);
create function note_sources(of_product text, of_unit text, of_night date) returns void language sql as $$
    insert into sources_without_catalogue (product_key, unit_key, night, campaign, instrument, field, filter, detector,
        quadrant, shutter_open, exposure_id)
    select of_product, u.unit_key, u.night, u.campaign, u.instrument, e.field, e.filter, u.detector, u.quadrant,
        e.shutter_open, e.exposure_id
    from units u join exposures e using (instrument, exposure_id)
    where u.unit_key = of_unit and u.night = of_night and e.field is not null
    on conflict do nothing
$$;

create or replace function sources_are_put() returns trigger language plpgsql as $$
begin
    perform note_sources(new.product_key, new.unit_key, new.leaves_with);
    return null;
end $$;

create trigger unit_changes_night after insert or update of ended_at on units
    for each row when (new.ended_at is not null) execute function unit_changes_night();
create trigger unit_is_put after insert on units
    for each row when (new.state = 'processed') execute function unit_awaits_difference();
create trigger unit_awaits_difference after update of state on units
    for each row when (old.state is distinct from new.state and 'processed' in (old.state, new.state))
    execute function unit_awaits_difference();
create trigger units_due after update on units for each statement execute function notify_due();
create trigger difference_is_put after insert on differences
    for each row execute function difference_is_put();
create trigger difference_awaits_release after insert or update of released_at, state on differences
    for each row execute function difference_awaits_release();
create trigger difference_is_forgotten after delete on differences
    for each row execute function difference_is_forgotten();
create trigger sources_are_put after insert or update of sha256 on products
    for each row when (new.kind = 'sources') execute function sources_are_put();
create trigger sources_have_catalogue after insert on product_inputs
    for each row when (new.role = 'catalogue') execute function sources_have_catalogue();
create trigger events_append_only before update or delete on events
    for each row execute function refuse_change_of_events();

-- Months that leave and come back ------------------------------------------------------------------------------------

-- Nobody writes a row of the month until the transaction has ended; other months are free.
create function lock_month(of_month text) returns void language plpgsql as $$
declare
    t record;
begin
    for t in select * from tables_by_month() loop
        execute format('lock table %I in exclusive mode', t.parent || '_' || of_month);
    end loop;
end $$;

create or replace function detach_month(of_month text) returns void language plpgsql as $$
declare
    t record;
begin
    delete from unreleased where to_char(night, 'YYYYMM') = of_month; -- of units that were rejected before
    update sources_without_catalogue w set kept_path = p.path, kept_sha256 = p.sha256
    from units u join image_quality q using (unit_key, night) join products p on p.leaves_with = u.night
    where to_char(w.night, 'YYYYMM') = of_month and u.unit_key = w.unit_key and u.night = w.night
        and p.product_key = w.product_key and u.state = 'processed' and q.good and p.deleted_at is null;
    for t in select * from tables_by_month() loop
        execute format('alter table %I detach partition %I', t.parent, t.parent || '_' || of_month);
        execute format('drop table %I', t.parent || '_' || of_month);
    end loop;
end $$;

-- Makes an empty table that a file is read into.
drop function prepare_month;
create function prepare_month(of_parent text, of_month text) returns void language plpgsql as $$
begin
    execute format('create table %I (like %I including all)', of_parent || '_' || of_month, of_parent);
end $$;

drop function attach_month;
create function attach_month(of_parent text, of_month text) returns void language plpgsql as $$
declare
    span record;
begin
    select b.* into span from tables_by_month() t cross join lateral bounds_of_month(of_month, t.by_date) b
    where t.parent = of_parent;
    execute format('alter table %I attach partition %I for values from (%L) to (%L)', of_parent,
        of_parent || '_' || of_month, span.begins, span.ends);
end $$;
