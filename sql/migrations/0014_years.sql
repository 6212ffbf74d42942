-- A ledger for ten years: a poll costs what is pending and not what was, and old months can leave.

-- Pending work ---------------------------------------------------------------------------------------------------

create index on exposures (shutter_open, exposure_id) where image_type = 'science' and state <> 'ended';
create index on exposures (site, night) where state <> 'ended';
create index on exposures (instrument, night, image_type, filter);
create index on exposures (exposure_id);
create index on nights (site, night) where state in ('open', 'closing') or changed;
create index on runs (requested_at) where ended_at is null;
create index on runs ((conf ->> 'instrument'), (conf ->> 'night')) where dag_id = 'calibrations';
create index on calibrations (instrument, night);
create index on calibration_frames (instrument, exposure_id, detector);
create index on submissions (airflow_run);
create index on attempts (unit_key);
create index on arrivals (exposure_id);
create index on raw_frames (arrival_key);
create index on reference_members (unit_key);
create index on differences (unit_key) where quality ? 'injected_snr5_6';

-- Reduced science frames of a field that were not differenced yet, of nights that are not closed: all that can make a
-- reference or a difference due. Kept by triggers, whoever changes units, differences and nights.
create table undifferenced (
    unit_key text not null references units (unit_key) on delete cascade,
    campaign text not null,
    instrument text not null,
    exposure_id text not null,
    detector smallint not null,
    quadrant smallint not null,
    field integer not null,
    filter text not null,
    shutter_open timestamptz not null,
    primary key (unit_key, campaign)
);
create index on undifferenced (instrument, field, filter, detector, quadrant);

-- Puts what belongs there and is not there yet: of one unit, or of one night.
create function note_undifferenced(of_unit text) returns void language sql as $$
    insert into undifferenced (unit_key, campaign, instrument, exposure_id, detector, quadrant, field, filter,
        shutter_open)
    select u.unit_key, u.campaign, u.instrument, u.exposure_id, u.detector, u.quadrant, e.field, e.filter,
        e.shutter_open
    from units u join exposures e using (instrument, exposure_id) join nights n using (site, night)
    where u.unit_key = of_unit and u.state = 'processed' and u.tier = 'processed'
        and e.image_type = 'science' and e.field is not null and n.state in ('open', 'closing')
        and not exists (select from differences d where d.unit_key = u.unit_key and d.campaign = u.campaign)
    on conflict do nothing
$$;

create function note_undifferenced_of_night(of_site text, of_night date) returns void language sql as $$
    select note_undifferenced(u.unit_key) from exposures e join units u using (instrument, exposure_id)
    where e.site = of_site and e.night = of_night and e.image_type = 'science' and u.state = 'processed'
$$;
select note_undifferenced_of_night(site, night) from nights where state in ('open', 'closing');

create function unit_awaits_difference() returns trigger language plpgsql as $$
begin
    if new.state = 'processed' then
        perform note_undifferenced(new.unit_key);
    else
        delete from undifferenced where unit_key = new.unit_key;
    end if;
    return null;
end $$;
create trigger unit_is_put after insert on units
    for each row when (new.state = 'processed') execute function unit_awaits_difference();
create trigger unit_awaits_difference after update of state on units
    for each row when (old.state is distinct from new.state and 'processed' in (old.state, new.state))
    execute function unit_awaits_difference();

create function difference_is_put() returns trigger language plpgsql as $$
begin
    delete from undifferenced where unit_key = new.unit_key and campaign = new.campaign;
    return null;
end $$;
create trigger difference_is_put after insert on differences
    for each row execute function difference_is_put();

create function difference_is_forgotten() returns trigger language plpgsql as $$
begin
    perform note_undifferenced(old.unit_key);
    return null;
end $$;
create trigger difference_is_forgotten after delete on differences
    for each row execute function difference_is_forgotten();

create function night_leaves_pending() returns trigger language plpgsql as $$
begin
    if new.state in ('open', 'closing') then
        perform note_undifferenced_of_night(new.site, new.night);
    else
        delete from undifferenced w using exposures e
        where e.site = new.site and e.night = new.night
            and w.instrument = e.instrument and w.exposure_id = e.exposure_id;
    end if;
    return null;
end $$;
create trigger night_leaves_pending after update of state on nights
    for each row when ((old.state in ('open', 'closing')) <> (new.state in ('open', 'closing')))
    execute function night_leaves_pending();

-- Tables of sources that were made without a catalogue: the first good one of a quadrant, field and filter is the
-- catalogue of all that come later, so there are few. Kept by triggers, whoever writes products and their inputs.
create table sources_without_catalogue (
    product_key text primary key references products on delete cascade,
    unit_key text not null,
    campaign text not null,
    instrument text not null,
    field integer not null,
    filter text not null,
    detector smallint not null,
    quadrant smallint not null,
    shutter_open timestamptz not null,
    exposure_id text not null
);
create index on sources_without_catalogue (instrument, field, filter);

create function note_sources(of_product text, of_unit text) returns void language sql as $$
    insert into sources_without_catalogue (product_key, unit_key, campaign, instrument, field, filter, detector,
        quadrant, shutter_open, exposure_id)
    select of_product, u.unit_key, u.campaign, u.instrument, e.field, e.filter, u.detector, u.quadrant, e.shutter_open,
        e.exposure_id
    from units u join exposures e using (instrument, exposure_id)
    where u.unit_key = of_unit and e.field is not null
    on conflict do nothing
$$;
select note_sources(p.product_key, p.unit_key) from products p
where p.kind = 'sources'
    and not exists (select from product_inputs i where i.product_key = p.product_key and i.role = 'catalogue');

create function sources_are_put() returns trigger language plpgsql as $$
begin
    perform note_sources(new.product_key, new.unit_key);
    return null;
end $$;
create trigger sources_are_put after insert or update of sha256 on products
    for each row when (new.kind = 'sources') execute function sources_are_put();

create function sources_have_catalogue() returns trigger language plpgsql as $$
begin
    delete from sources_without_catalogue where product_key = new.product_key;
    return null;
end $$;
create trigger sources_have_catalogue after insert on product_inputs
    for each row when (new.role = 'catalogue') execute function sources_have_catalogue();

-- When a reference is due, and of what -----------------------------------------------------------------------------

-- The frames that a reference of a field and filter may be made of, with both products at hand: one row a quadrant and
-- frame, counted by quadrant in shutter order. Those of an unsettled place may still be preceded by a frame that has
-- not ended. With `lacking` only of quadrants without any reference of those campaigns. What is due, what is planned and in which order
-- alerts are released follow this one function.
create function reference_frames(of_instrument text, of_field integer, of_filter text, of_campaign text, of_tier tier,
    lacking text[])
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
    join units u using (instrument, exposure_id)
    join image_quality q on q.unit_key = u.unit_key
    join products c on c.unit_key = u.unit_key and c.kind = 'calibrated' and c.deleted_at is null
    join products s on s.unit_key = u.unit_key and s.kind = 'sources' and s.deleted_at is null
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

-- The quadrants of a field and filter that get their first reference of frames that are there, with its last member.
create function first_references(of_instrument text, of_field integer, of_filter text, of_campaign text, of_tier tier,
    lacking text[], at_least bigint)
returns table (detector smallint, quadrant smallint, last_member timestamptz, site text, night date, settled boolean)
language sql stable as $$
    select f.detector, f.quadrant, f.shutter_open, f.site, f.night, f.settled
    from reference_frames(of_instrument, of_field, of_filter, of_campaign, of_tier, lacking) f
    where f.place = at_least
        -- nothing is looked at where the field was not visited often enough
        and at_least <= (select count(*) from exposures e where e.instrument = of_instrument and e.field = of_field
            and e.filter = of_filter and e.image_type = 'science' and e.state = 'ended')
$$;

-- Fields and filters in which a quadrant awaits its first reference.
create view fields_without_reference as
select distinct w.instrument, w.field, w.filter, w.campaign from undifferenced w
where not exists (select from reference_images r where r.field = w.field and r.instrument = w.instrument
    and r.detector = w.detector and r.quadrant = w.quadrant and r.filter = w.filter and r.campaign = w.campaign);

-- Candidates' records, compactly -----------------------------------------------------------------------------------

-- Which fields a candidate's record holds, and in which order. A layout is added when one comes that is not here, and
-- never changed: old candidates are read by it.
create table record_layouts (
    layout smallint generated always as identity primary key,
    fields text[] not null unique, -- kind and name: f a number with a fraction, or none; i a whole one; s text; j JSON
    number_names text[] not null,
    number_kinds "char"[] not null,
    text_names text[] not null,
    text_kinds "char"[] not null
);
create trigger record_layouts_append_only before update or delete on record_layouts
    for each row execute function refuse_change();

-- How a value of a record is kept, so that the same JSON comes out: what binary numbers do not hold exactly is kept as
-- JSON.
create function kind_of_field(value jsonb) returns "char" language sql immutable as $$
    select case jsonb_typeof(value)
        when 'null' then 'f'
        when 'string' then 's'
        when 'number' then case
            when abs((value #>> '{}')::numeric) < 1e-300 and (value #>> '{}')::numeric <> 0
                or abs((value #>> '{}')::numeric) >= 1e15 then 'j'
            when position('.' in value #>> '{}') = 0 then 'i'
            when ((value #>> '{}')::float8)::text::numeric = (value #>> '{}')::numeric then 'f'
            else 'j' end
        else 'j' end::"char"
$$;

create function layout_of(of_fields text[]) returns smallint language plpgsql as $$
declare
    found smallint;
begin
    select l.layout into found from record_layouts l where l.fields = of_fields;
    if found is null then
        insert into record_layouts (fields, number_names, number_kinds, text_names, text_kinds)
        select of_fields,
            coalesce(array_agg(substr(f, 3) order by place) filter (where left(f, 1) in ('f', 'i')), '{}'),
            coalesce(array_agg(left(f, 1)::"char" order by place) filter (where left(f, 1) in ('f', 'i')), '{}'),
            coalesce(array_agg(substr(f, 3) order by place) filter (where left(f, 1) in ('s', 'j')), '{}'),
            coalesce(array_agg(left(f, 1)::"char" order by place) filter (where left(f, 1) in ('s', 'j')), '{}')
        from unnest(of_fields) with ordinality as u (f, place)
        on conflict (fields) do nothing;
        select l.layout into found from record_layouts l where l.fields = of_fields;
    end if;
    return found;
end $$;

create function pack_record(record jsonb, out layout smallint, out numbers float8[], out texts text[])
language plpgsql as $$
declare
    fields text[];
begin
    select coalesce(array_agg(k.kind::text || ':' || e.key order by e.key), '{}'),
        coalesce(array_agg((e.value #>> '{}')::float8 order by e.key) filter (where k.kind in ('f', 'i')), '{}'),
        coalesce(array_agg(case k.kind when 's' then e.value #>> '{}' else e.value::text end order by e.key)
            filter (where k.kind in ('s', 'j')), '{}')
    into fields, numbers, texts
    from jsonb_each(record) e, lateral (select kind_of_field(e.value) as kind) k;
    layout := layout_of(fields);
end $$;

create function unpack_record(of_layout smallint, numbers float8[], texts text[]) returns jsonb
language sql stable as $$
    select coalesce((
            select jsonb_object_agg(n.name, case
                when n.value is null then 'null'::jsonb
                when n.kind = 'i' then to_jsonb(n.value::bigint)
                when n.value = trunc(n.value) then (n.value::bigint::text || '.0')::jsonb
                else to_jsonb(n.value) end)
            from unnest(l.number_names, l.number_kinds, numbers) as n (name, kind, value)), '{}') || coalesce((
            select jsonb_object_agg(t.name, case t.kind when 's' then to_jsonb(t.value) else t.value::jsonb end)
            from unnest(l.text_names, l.text_kinds, texts) as t (name, kind, value)), '{}')
    from record_layouts l where l.layout = of_layout
$$;

-- What grows is partitioned by month ---------------------------------------------------------------------------------

-- Candidates, alerts and messages lie in partitions by the month (UTC) of their shutter. A candid names one detection
-- of one frame, whose shutter opened once: that it is unique within its month makes it unique for ever. No foreign key
-- leads to a partitioned table, so that a month can be detached; alerts and messages are written in the transaction
-- that reads the candidates they are of.
alter table outbox drop constraint outbox_candid_fkey;
alter table alerts drop constraint alerts_shutter_open_candid_fkey;

alter table candidates rename to candidates_before;
do $$
declare
    part record;
begin
    for part in select inhrelid::regclass::text as name from pg_inherits where inhparent = 'candidates_before'::regclass
    loop
        execute format('alter table %s rename to %I', part.name, 'before_' || part.name);
    end loop;
end $$;
alter table alerts rename to alerts_before;
alter table outbox rename to outbox_before;

create table candidates (
    candid bigint not null,
    shutter_open timestamptz not null,
    unit_key text not null,
    campaign text not null,
    reference_key text not null,
    processing_id bigint not null, -- `pid`
    object_id text references objects,
    site text not null,
    night date not null,
    field integer,
    number smallint not null check (number >= 0), -- within the difference, after sorting
    layout smallint not null references record_layouts, -- of the record
    filter text not null,
    ra_deg double precision not null check (ra_deg >= 0 and ra_deg < 360),
    dec_deg double precision not null check (dec_deg between -90 and 90),
    zone integer generated always as (floor((dec_deg + 90) * 360)::integer) stored,
    x double precision not null, -- pixels of the science image, counted from 0
    y double precision not null,
    signal_to_noise real not null,
    magnitude real,
    magnitude_error real,
    positive boolean not null,
    numbers double precision[] not null, -- every measured field of the alert's candidate record, by its layout
    texts text[] not null,
    primary key (candid, shutter_open),
    unique (unit_key, campaign, number, shutter_open)
) partition by range (shutter_open);
create table candidates_default partition of candidates default;
create index on candidates (zone, ra_deg);
create index on candidates (site, night);

create table alerts (
    candid bigint not null,
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
    primary key (candid, shutter_open),
    check (state in ('held', 'withheld') or (packet_sha256 is not null and object_id is not null)),
    check (state <> 'withheld' or reason is not null)
) partition by range (shutter_open);
create table alerts_default partition of alerts default;
create index on alerts (site, night, state);
create index on alerts (unit_key);

create table outbox (
    candid bigint not null,
    shutter_open timestamptz not null,
    topic text not null,
    state outbox_state not null default 'held',
    queued_at timestamptz,
    acknowledged_at timestamptz,
    broker_partition integer,
    broker_offset bigint,
    tries smallint not null default 0,
    last_error text,
    acknowledged_by text, -- the life of an embedded broker; null: a broker that keeps
    primary key (candid, topic, shutter_open),
    check (state <> 'acknowledged' or (acknowledged_at is not null and broker_offset is not null))
) partition by range (shutter_open);
create table outbox_default partition of outbox default;
create index on outbox (queued_at, candid, topic) where state = 'queued';
create index on outbox (acknowledged_at) where acknowledged_by is not null;

-- The partitions of a month, in one place. They are made when a night is registered, before its first candidate; the
-- default ones stay empty.
create function make_month(moment timestamptz) returns void language plpgsql as $$
declare
    month timestamp := date_trunc('month', moment at time zone 'UTC');
    parent text;
    name text;
begin
    if to_regclass('outbox_' || to_char(month, 'YYYYMM')) is not null then
        return;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('months', 0));
    foreach parent in array array['candidates', 'alerts', 'outbox'] loop
        name := parent || '_' || to_char(month, 'YYYYMM');
        execute format('create table if not exists %I partition of %I for values from (%L) to (%L)',
            name, parent, month at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
    end loop;
end $$;
drop function make_candidates_partition;

create function night_makes_months() returns trigger language plpgsql as $$
begin
    perform make_month(new.begins);
    perform make_month(new.ends);
    return null;
end $$;
create trigger night_makes_months after insert on nights for each row execute function night_makes_months();

select make_month(moment) from (
    select begins as moment from nights union select ends from nights
    union select distinct date_trunc('month', shutter_open at time zone 'UTC') at time zone 'UTC' from candidates_before
) m;

insert into candidates (candid, shutter_open, unit_key, campaign, reference_key, number, processing_id, object_id, site,
    night, field, filter, ra_deg, dec_deg, x, y, positive, signal_to_noise, magnitude, magnitude_error, layout, numbers,
    texts)
select c.candid, c.shutter_open, c.unit_key, c.campaign, c.reference_key, c.number, c.processing_id, c.object_id,
    c.site, c.night, c.field, c.filter, c.ra_deg, c.dec_deg, c.x, c.y, c.positive, c.signal_to_noise, c.magnitude,
    c.magnitude_error, p.layout, p.numbers, p.texts
from candidates_before c cross join lateral pack_record(c.record) p;
insert into alerts (candid, shutter_open, object_id, unit_key, campaign, site, night, state, reason, schema_version,
    packet_path, packet_offset, packet_bytes, packet_sha256, released_at)
select candid, shutter_open, object_id, unit_key, campaign, site, night, state, reason, schema_version,
    packet_path, packet_offset, packet_bytes, packet_sha256, released_at
from alerts_before;
insert into outbox (candid, shutter_open, topic, state, queued_at, acknowledged_at, broker_partition, broker_offset,
    tries, last_error, acknowledged_by)
select o.candid, a.shutter_open, o.topic, o.state, o.queued_at, o.acknowledged_at, o.broker_partition,
    o.broker_offset, o.tries, o.last_error, o.acknowledged_by
from outbox_before o join alerts_before a using (candid);
drop table outbox_before, alerts_before, candidates_before;

create or replace function refuse_change_behind_sent() returns trigger language plpgsql as $$
begin
    if new is distinct from old and exists (
        select from alerts where candid = old.candid and shutter_open = old.shutter_open
            and state in ('sent', 'retracted')) then
        raise exception 'candidate % has an alert that was sent and stays as it is', old.candid;
    end if;
    return new;
end $$;
create trigger alerts_sent_stay before update or delete on alerts
    for each row execute function refuse_change_of_sent();
create trigger candidates_sent_stay before update on candidates
    for each row execute function refuse_change_behind_sent();

-- Months that leave and come back. `of_month` is written YYYYMM.

-- How many rows a table holds, and a sum that is another when one of them differs.
create function content_of(of_table text, out held bigint, out content text) language plpgsql as $$
begin
    execute format('select count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text from %I t', of_table)
    into held, content;
end $$;

create function detach_month(of_month text) returns void language plpgsql as $$
declare
    parent text;
begin
    foreach parent in array array['outbox', 'alerts', 'candidates'] loop
        execute format('alter table %I detach partition %I', parent, parent || '_' || of_month);
        execute format('drop table %I', parent || '_' || of_month);
    end loop;
end $$;

-- Makes the empty tables that the files are read into.
create function prepare_month(of_month text) returns void language plpgsql as $$
declare
    parent text;
begin
    foreach parent in array array['candidates', 'alerts', 'outbox'] loop
        execute format('create table %I (like %I including all)', parent || '_' || of_month, parent);
    end loop;
end $$;

create function attach_month(of_month text) returns void language plpgsql as $$
declare
    month timestamp := to_timestamp(of_month || '01', 'YYYYMMDD')::timestamp;
    parent text;
begin
    foreach parent in array array['candidates', 'alerts', 'outbox'] loop
        execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent,
            parent || '_' || of_month, to_char(month, 'YYYY-MM-DD') || ' 00:00+00',
            to_char(month + interval '1 month', 'YYYY-MM-DD') || ' 00:00+00');
    end loop;
end $$;
