-- What backups, rehearsals and restores ask of the ledger.

-- name: one_snapshot!
-- The first statement of a transaction: all others of it see the ledger as it stands now, and change nothing.
set transaction isolation level repeatable read, read only;

-- name: export_snapshot$
-- By its name another connection sees the same, as long as this transaction is open.
select pg_export_snapshot() as snapshot;

-- name: server^
-- row: Server
-- not null: version, lsn, taken_at, bytes
select current_setting('server_version_num')::integer as version, pg_current_wal_lsn()::text as lsn,
    transaction_timestamp() as taken_at, pg_database_size(current_database()) as bytes;

-- name: table_contents
-- row: TableContent
-- not null: name, row_count, checksum
select name, row_count, checksum from table_contents() order by name;

-- name: newest_night^
-- row: NewestNight
select site, night, state from nights order by night desc, site limit 1;

-- name: night_closed_at$
-- Null while the night is open, or opened again.
select closed_at from nights where site = :site and night = :night;

-- name: put_step!
insert into backup_steps (step, backup, good, detail, taken_at, seconds)
values (:step, :backup, :good, :detail, :taken_at, :seconds);

-- name: last_step^
-- row: BackupStep
-- nullable: taken_at
select at, backup, good, detail, taken_at, seconds, extract(epoch from clock_timestamp() - at)::float8 as age_s
from backup_steps where step = :step order by at desc limit 1;

-- name: last_good_step^
-- row: GoodBackupStep
-- nullable: taken_at
select at, backup, detail, taken_at, extract(epoch from clock_timestamp() - at)::float8 as age_s
from backup_steps where step = :step and good order by at desc limit 1;

-- Who else is there -----------------------------------------------------------------------------------------

-- name: other_sessions
-- row: OtherSession
-- not null: application, sessions
select coalesce(nullif(application_name, ''), 'unnamed') as application, count(*) as sessions
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
group by 1 order by 1;

-- name: has_tables$
select exists (select from pg_class where relnamespace = to_regnamespace('public') and relkind in ('r', 'p')) as some;

-- Reconciling -----------------------------------------------------------------------------------------------

-- name: first_night_under_way$
-- The first that was not closed when the backup was taken, or the newest of all.
select least(min(night) filter (where state in ('open', 'closing')), max(night)) as night from nights;

-- name: known_places
-- Which of some places of the depot the ledger knows: of raw files, of manifests, of packets, and of job files.
-- row: KnownPlace
-- not null: place
select path as place from raw_frames where path = any (:places::text[])
union select path from manifests where path = any (:places::text[])
union select kept_path from arrivals where kept_path = any (:places::text[])
union select packet_path from alerts where packet_path = any (:places::text[])
union select job_file from submissions where job_file = any (:places::text[]);

-- name: put_published!
insert into published_packets (candid, packet_path, packet_offset, packet_bytes, packet_sha256)
select n.candid, :packet_path, n.packet_offset, n.packet_bytes, n.packet_sha256
from unnest(:candids::bigint[], :offsets::bigint[], :sizes::integer[], :digests::text[])
    as n (candid, packet_offset, packet_bytes, packet_sha256)
on conflict (candid) do nothing;

-- name: published_without_alert$
-- Packets of before the restore of which the ledger has no alert by now.
select count(*) from published_packets p
where not exists (select from alerts a where a.candid = p.candid and a.packet_sha256 is not null);

-- name: manifest_names
-- What manifests were called that came before, the newest first.
-- row: ManifestName
-- not null: night
select inbox_name, night from arrivals
where site = :site and kept_path like 'manifests/%' and disposition = 'registered' and night is not null
order by arrived_at desc limit 20;

-- What a restore replaces ------------------------------------------------------------------------------------

-- name: since^
-- What the ledger learned since a moment, and what a restore of a backup of that moment loses.
-- row: LearnedSince
-- not null: nights, frames, alerts, people
select (select count(*) from (
        select site, night from nights where closed_at >= :moment or closing_since >= :moment
        union select e.site, e.night from exposures e where e.first_arrival_at >= :moment) n) as nights,
    (select count(*) from raw_frames where registered_at >= :moment) as frames,
    (select count(*) from outbox where acknowledged_at >= :moment) as alerts,
    (select count(*) from audit where at >= :moment) as people;

-- Airflow's database, made anew -------------------------------------------------------------------------------

-- name: end_open_runs!
update runs set ended_at = now() where ended_at is null;

-- name: open_closing_nights!
-- Their closing begins again.
update nights set state = 'open', closing_since = null where state = 'closing';
