-- What the archive of a night asks of the ledger.

-- name: files_to_archive
-- row: FileToArchive
-- nullable: bytes
-- In the order of their path; every one carries its sha256 from the moment of writing. Of what is no file, or too
-- large to be read, only the ledger's row is kept.
select 'raw' as kind, f.path as source, f.sha256, f.bytes
from raw_frames f join exposures e using (instrument, exposure_id)
where e.site = :site and e.night = :night
union all
select 'product/' || p.kind, p.path, p.sha256, p.bytes
from products p
where p.site = :site and p.night = :night and p.leaves_with in (:night, 'infinity') and p.deleted_at is null
union all
select 'manifest', m.path, m.sha256, null
from manifests m where m.site = :site and m.night = :night
union all
select 'quarantine', q.path, a.sha256, a.bytes
from quarantine q join arrivals a using (arrival_key)
where a.site = :site and a.night = :night and a.sha256 is not null and q.disposed_at is null
order by source;

-- name: packet_tars
-- row: PacketTar
-- not null: packet_path
select distinct packet_path
from alerts where site = :site and night = :night and packet_path is not null order by packet_path;

-- name: packets
-- row: Packet
-- not null: packet_path, packet_offset, packet_bytes, packet_sha256
select candid, packet_path, packet_offset, packet_bytes, packet_sha256
from alerts
where site = :site and night = :night and state in ('released', 'sent', 'retracted')
order by candid;

-- name: archived
-- row: ArchivedFile
select path, kind, source, sha256, bytes, verified_at
from archive_files where site = :site and night = :night order by path;

-- name: put_archived!
-- One transaction for all of them; a place that is filled anew is to be read back again.
insert into archive_files (site, night, path, kind, source, sha256, bytes)
select :site, :night, f.path, f.kind, f.source, f.sha256, f.bytes
from unnest(:paths::text[], :kinds::text[], :sources::text[], :sha256s::text[], :sizes::bigint[])
    as f (path, kind, source, sha256, bytes)
on conflict (site, night, path) do update
    set kind = excluded.kind, source = excluded.source, sha256 = excluded.sha256, bytes = excluded.bytes,
        archived_at = now(), verified_at = null;

-- name: set_verified!
update archive_files set verified_at = now() where site = :site and night = :night and path = any (:paths::text[]);

-- name: set_unverified!
update archive_files set verified_at = null where site = :site and night = :night and path = any (:paths::text[]);

-- name: has_fault_told$
-- Whether a human was called for the archive of a night, and not told since that it is good again.
select exists (select from events f where f.kind = 'archive_fault' and f.subject = :subject
    and not exists (select from events g
        where g.kind = 'archive_good' and g.subject = f.subject and g.event_id > f.event_id)) as told;

-- Bags -------------------------------------------------------------------------------------------------------

-- name: bags
-- row: Bag
-- Of a night, the last one last.
select version, name, begun_at, complete, alerts_digest, sealed_at
from archive_bags where site = :site and night = :night order by version;

-- name: begin_bag!
insert into archive_bags (site, night, version, name, begun_at) values (:site, :night, :version, :folder, :begun_at)
on conflict (site, night, version) do nothing;

-- name: set_complete!
-- Also that it is no more; a sealed bag stays as it is.
update archive_bags set complete = :complete
where site = :site and night = :night and version = :version and complete <> :complete and sealed_at is null;

-- name: set_alerts_digest!
update archive_bags set alerts_digest = :digest where site = :site and night = :night and version = :version;

-- name: seal_bag!
-- Once the night is closed and every file was read back.
update archive_bags b set sealed_at = now()
where b.site = :site and b.night = :night and b.sealed_at is null and b.complete
    and exists (select from nights n where n.site = b.site and n.night = b.night and n.state = 'closed')
    and not exists (select from archive_files f
        where f.site = b.site and f.night = b.night and f.verified_at is null);
