-- What is noticed while a night is open, and told once.

-- When the open night of a site was last looked at.
create table night_looks (
    site text primary key,
    looked_at timestamptz not null default now()
);

-- What is wrong with the open night of a site and was told; the row goes when its end was told too.
create table night_alarms (
    site text not null,
    kind text not null, -- of the event that told it
    subject text not null,
    instrument text not null, -- empty: it is of the whole site
    message text not null,
    since timestamptz not null default now(),
    primary key (site, kind, subject)
);

-- What the images of an instrument usually measure: medians over the nights before one, kept when they are first asked.
create table usual_measurements (
    instrument text not null,
    night date not null, -- of which it is asked
    filter text not null,
    name text not null, -- of the measurement
    median double precision not null,
    nights smallint not null, -- over so many
    primary key (instrument, night, filter, name)
);
