-- Messages to people: who was told of what, by which channel, and what is still to be told.

-- Messages to people -----------------------------------------------------------------------------------------------------

-- Events that the process which tells people has not read yet. A row is written with its event, so that none is missed,
-- in whatever order transactions end.
create table unheard_events (
    event_id bigint primary key,
    at timestamptz not null -- when it was written, which says in which month it lies
);
create function event_is_unheard() returns trigger language plpgsql as $$
begin
    insert into unheard_events (event_id, at) values (new.event_id, new.at) on conflict do nothing;
    perform pg_notify('nightshift_events', '');
    return null;
end $$;
create trigger event_is_unheard after insert on events for each row execute function event_is_unheard();

-- What people hear of: the events of one kind and subject, one row an episode.
create table troubles (
    trouble_id bigint generated always as identity primary key,
    kind text not null,
    subject text not null,
    site text not null, -- empty where it is no site's own
    level event_level not null, -- the highest of its events
    message text not null, -- of its newest event
    times integer not null default 1, -- how many events
    began_at timestamptz not null,
    last_at timestamptz not null,
    ended_at timestamptz, -- null: nobody said yet that it is over
    end_message text,
    acknowledged_at timestamptz,
    acknowledged_by text,
    check ((acknowledged_at is null) = (acknowledged_by is null))
);
create index on troubles (kind, subject);
create index on troubles (last_at);

-- A message to one person. What it says is kept as it was said.
create table messages (
    message_key text primary key, -- the day (UTC) and a number, such as 20260131-4
    person text not null, -- as the settings call them
    channel text not null default '', -- that a rule puts before the person's own; empty: none
    title text not null,
    body text not null,
    made_at timestamptz not null default clock_timestamp()
);
create index on messages (made_at);

-- What a person is to hear of a trouble, each once, and in which message it was said.
create table hearings (
    trouble_id bigint not null references troubles on delete cascade,
    person text not null,
    channel text not null default '', -- as of its message
    what text not null check (what in ('began', 'ended', 'repeated')),
    since timestamptz not null, -- when it was known
    urgent boolean not null, -- false: told together with others, later
    quiet_from text, -- by the site's clock, such as 22:00:00; null: told at any hour
    quiet_until text,
    message_key text references messages on delete cascade, -- null: not said yet
    primary key (trouble_id, person, channel, what)
);
create index on hearings (message_key);
create index hearings_not_said on hearings (person, channel) where message_key is null;

-- A message on one channel: told once, and tried until then.
create table deliveries (
    message_key text not null references messages on delete cascade,
    channel text not null,
    state text not null default 'queued' check (state in ('queued', 'told', 'passed_on')), -- passed_on: to the next channel
    tries integer not null default 0,
    tried_at timestamptz,
    told_at timestamptz,
    error text, -- of the last try
    primary key (message_key, channel)
);
create index deliveries_queued on deliveries (message_key) where state = 'queued';

-- Channels that do not take messages now.
create table failing_channels (
    channel text primary key,
    since timestamptz not null default clock_timestamp(),
    failures integer not null default 1, -- in a row
    error text not null,
    said boolean not null default false -- in an event
);

