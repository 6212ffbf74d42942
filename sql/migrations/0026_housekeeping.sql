-- Housekeeping: how full the disks are, and what left the depot by retention.

-- Disks --------------------------------------------------------------------------------------------------------------

-- How full a disk was. Of the last days every sample stays, of the nights before one each, and no more.
create table disk_samples (
    name text not null, -- inbox, depot, archive, second_copy, ledger, or scratch/<node>
    sampled_at timestamptz not null, -- by the night's clock
    folder text not null,
    total_bytes bigint not null check (total_bytes >= 0),
    free_bytes bigint not null check (free_bytes >= 0), -- for this user
    primary key (name, sampled_at)
);

-- Disks of which it was said that they fill up; empty while all is well.
create table disk_warnings (
    name text primary key,
    level event_level not null, -- as it was said last
    said_at timestamptz not null default now()
);

-- What leaves the depot ----------------------------------------------------------------------------------------------

-- One row each time that somebody cleaned up.
create table clean_ups (
    clean_up bigint generated always as identity primary key,
    site text not null,
    operator text not null check (operator <> ''),
    newest_night date not null, -- from which the age of files was counted
    rules jsonb not null, -- nights that each kind of file is kept for
    began_at timestamptz not null default now(),
    ended_at timestamptz, -- null: it goes on, or was killed; the next one ends what it marked
    files integer not null default 0,
    bytes bigint not null default 0, -- that became free
    why_not jsonb not null default '{}' -- files that are old enough and stayed, by the reason
);
create index on clean_ups (site, began_at);

-- A file or folder that leaves the depot, or has left it: marked first, then removed, then confirmed. The archive and
-- the second copy have every file of it that cannot be made again.
create table deletions (
    site text not null,
    night date not null,
    path text not null, -- below the depot
    kind text not null, -- as in archive_files; attempts: a job's folder
    sha256 text, -- null: a folder
    bytes bigint not null,
    rule text not null, -- the setting by which it left
    clean_up bigint not null references clean_ups,
    marked_at timestamptz not null default now(),
    deleted_at timestamptz, -- null: marked, and perhaps removed
    restored_on date, -- the newest night when it was brought back, from which its age counts anew
    primary key (path, night),
    check (restored_on is null or deleted_at is not null)
) partition by range (night);
create index on deletions (site, night) where deleted_at is null;

-- Nights and kinds of file of which nothing is left to delete, unless the night was closed again since.
create table cleaned_nights (
    site text not null,
    night date not null,
    kind text not null,
    cleaned_at timestamptz not null default now(),
    primary key (site, night, kind)
);

alter table raw_frames add column deleted_at timestamptz; -- left the depot by retention: the table `deletions` says why
alter table quarantine add column deleted_at timestamptz; -- likewise

-- The tables of a month, one more, whatever other migrations added.
do $$
begin
    execute format('create or replace function tables_by_month() returns table (parent text, by_date boolean) '
        'language sql immutable as %L', (
            select 'values ' || string_agg(format('(%L, %L::boolean)', parent, by_date), ', ' order by place)
            from (select parent, by_date, ordinality as place from tables_by_month() with ordinality
                  union all select 'deletions', true, 10000) t));
end $$;

-- As before, also where a table was added since the others of a month were made.
create or replace function make_partitions(of_month text) returns void language plpgsql as $$
declare
    t record;
    span record;
begin
    if not exists (select from tables_by_month() where to_regclass(parent || '_' || of_month) is null) then
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

select make_partitions(right(inhrelid::regclass::text, 6)) from pg_inherits
where inhparent = 'archive_files'::regclass and inhrelid::regclass::text ~ '^archive_files_[0-9]{6}$';
