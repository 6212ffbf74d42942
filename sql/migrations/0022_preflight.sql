-- What a site announces of its detectors and its time, and what the afternoon's checks found.

create type calendar_kind as enum ('out_of_service', 'engineering', 'downtime');

-- From when until when a detector is out of service, and when the site's time is not the survey's. Filled from the
-- survey's calendar.toml, and by people. What holds is what lies in here.
create table calendar (
    entry_id bigint generated always as identity primary key,
    kind calendar_kind not null,
    site text not null,
    instrument text, -- null: all of the site
    detector smallint, -- null: all of the instrument
    begins timestamptz not null,
    ends timestamptz, -- the first moment after it; null: until somebody ends it
    reason text not null check (reason <> ''),
    announced boolean not null, -- whether it was known beforehand
    settings_key text unique, -- of an entry of calendar.toml; null: a person entered it
    operator text, -- who entered it; null: it is of calendar.toml
    entered_at timestamptz not null default now(),
    ended_early_at timestamptz, -- a person ended it as of this moment
    ended_by text,
    end_reason text,
    withdrawn_at timestamptz, -- it is in calendar.toml no more, and had not ended by then: it does not hold
    said_at timestamptz, -- when it was said that frames come all the same
    check (ends > begins),
    check (detector is null or kind = 'out_of_service'),
    check (kind <> 'out_of_service' or instrument is not null),
    check (settings_key is not null or operator is not null)
);
create index on calendar (site, begins);

-- When an entry ends: by its own word, or earlier where a person ended it; null: it has no end yet.
create function end_of_entry(entry calendar) returns timestamptz language sql immutable as $$
    select least(entry.ends, entry.ended_early_at)
$$;

-- The entries that hold for an instrument at a moment.
create function calendar_at(of_site text, of_instrument text, moment timestamptz) returns setof calendar
language sql stable as $$
    select c from calendar c
    where c.site = of_site and (c.instrument is null or c.instrument = of_instrument) and c.withdrawn_at is null
        and c.begins <= moment and moment < coalesce(end_of_entry(c), 'infinity')
$$;

create type check_state as enum ('green', 'yellow', 'red', 'unknown');

-- What the afternoon's checks found last, by night.
create table preflight_checks (
    site text not null,
    night date not null,
    check_name text not null,
    state check_state not null,
    sentence text not null, -- what was found
    number double precision, -- the value that was compared; null: nothing was measured
    unit text not null default '', -- of the number
    advice text not null default '', -- what to do; empty where all is well
    seconds double precision not null, -- how long it took
    checked_at timestamptz not null default now(),
    primary key (site, night, check_name)
);

-- Checks that are red and of which somebody was told; the row goes when the end was told too.
create table preflight_alarms (
    site text not null,
    check_name text not null,
    since timestamptz not null default now(),
    primary key (site, check_name)
);
