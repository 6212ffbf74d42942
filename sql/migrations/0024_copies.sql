-- The second copy of every raw frame and archived file.

-- Where second copies are kept, or were. One place of a site is in service at a time.
create table copy_places (
    site text not null,
    place text not null, -- a folder, or s3://bucket/prefix
    marker text not null, -- what its marker says: an empty mount point, or another bucket of that name, has none of it
    first_used_at timestamptz not null default now(),
    retired_at timestamptz, -- since then the settings name another place, and what lies here counts no more
    trouble text not null default '', -- why it cannot be used now
    trouble_since timestamptz,
    tries integer not null default 0, -- in vain, one after the other
    next_try_at timestamptz not null default now(),
    primary key (site, place)
);

-- A content of a night's files and its second copy, which is called by its checksum. Files of the same content, such as
-- a raw frame and its name in the archive, have one copy.
create table copies (
    site text not null,
    night date not null,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    place text not null,
    bytes bigint not null check (bytes >= 0),
    source text not null, -- below the depot: from where it is copied
    wanted_at timestamptz not null default now(),
    copied_at timestamptz,
    verified_at timestamptz, -- read back from its place and found equal; null: not yet, or no more
    tries integer not null default 0, -- in vain, one after the other
    last_error text not null default '',
    next_try_at timestamptz not null default now(),
    primary key (site, night, sha256, place)
) partition by range (night);
create index on copies (site, place, next_try_at) where verified_at is null;
create index on copies (site, place, verified_at) where verified_at is not null;
create index on archive_files (site, verified_at);

-- What was found to differ from its checksum or to be gone, and what became of it.
create table damaged_files (
    site text not null,
    night date not null,
    sha256 text not null, -- that it should have
    place text not null, -- 'archive', or the second copy's
    file text not null, -- below the archive, or the key of the copy in its place
    found_at timestamptz not null default now(),
    says text not null, -- what is wrong with it
    mended_at timestamptz, -- null: not yet
    primary key (site, night, place, file, found_at)
);
create unique index on damaged_files (site, night, place, file) where mended_at is null;

-- Files that have two places, both read back and found equal to their checksum: the only ones that may be deleted in the
-- depot or purged on the mountain. The row of a file is found by its `source`, with the checksum that the file has by the
-- table that names it.
create view files_in_two_places as
select a.site, a.night, a.source, a.sha256, a.bytes, a.kind, a.path as archive_path,
    a.verified_at as archive_verified_at, c.place as copy_place, c.verified_at as copy_verified_at
from archive_files a
join copies c on c.site = a.site and c.night = a.night and c.sha256 = a.sha256 and c.bytes = a.bytes
join copy_places p on p.site = c.site and p.place = c.place and p.retired_at is null
where a.verified_at is not null and c.verified_at is not null;

-- The second copies leave the ledger and come back with their month.
do $$
declare
    parents text;
    of_month text;
    span record;
begin
    select string_agg(format('(%L, %L::boolean)', parent, by_date), ', ' order by place) into parents
    from tables_by_month() with ordinality as t (parent, by_date, place);
    execute format('create or replace function tables_by_month() returns table (parent text, by_date boolean) '
        'language sql immutable as %L', 'values ' || parents || ', (''copies'', true)');
    for of_month in
        select right(c.relname, 6) from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'archive_files'::regclass
    loop
        select * into span from bounds_of_month(of_month, true);
        execute format('create table %I partition of copies for values from (%L) to (%L)', 'copies_' || of_month,
            span.begins, span.ends);
    end loop;
end $$;

