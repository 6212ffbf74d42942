-- The ledger's backups: what became of each step, and what was published before a restore.

-- Backups ------------------------------------------------------------------------------------------------------

create table backup_steps ( -- what was done with backups of the ledger, and how it ended
    at timestamptz not null default clock_timestamp(), -- when it ended
    step text not null check (step in ('backup', 'rehearsal', 'restore', 'reconcile')), -- what was done
    backup text not null, -- name of the backup; empty where there was none
    good boolean not null, -- whether it ended as it should
    detail text not null, -- what was done, or what went wrong and what to do
    taken_at timestamptz, -- when the backup's snapshot of the ledger was taken
    seconds double precision not null -- how long it took
);
create index backup_steps_newest on backup_steps (step, at desc);

create table published_packets ( -- alert packets that were made before a restore, and that the restored ledger does not know
    candid bigint primary key, -- what was published under it stays: its alert is never another one
    packet_path text not null, -- the tar below the depot
    packet_offset bigint not null, -- where the packet begins in it
    packet_bytes integer not null, -- its size
    packet_sha256 text not null, -- of the packet
    noted_at timestamptz not null default clock_timestamp() -- when it was found
);

-- The rows of each table and a checksum of all that they hold, in whatever order they lie: of a table whose months are
-- partitions, over all of them. Values are written the same way whatever the session's settings are.
create function table_contents() returns table (name text, row_count bigint, checksum text) language plpgsql stable
set timezone = 'UTC' set datestyle = 'ISO, YMD' set intervalstyle = 'postgres' set extra_float_digits = 1
set bytea_output = 'hex' as $$
declare
    found record;
begin
    for found in
        select c.relname from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
        order by c.relname
    loop
        return query execute format(
            'select %L::text, count(*), coalesce(sum(hashtextextended(x::text, 0)::numeric), 0)::text from public.%I x',
            found.relname, found.relname);
    end loop;
end $$;
