-- The night's files are small: of a raw file, a product or a manifest the content is its own path. Nothing of the night
-- is archived yet.
delete from archive_files where site = 'palomar' and night = %(evening)s;
update raw_frames set sha256 = encode(sha256(path::bytea), 'hex'), bytes = octet_length(path) where night = %(evening)s;
update arrivals a set sha256 = f.sha256, bytes = f.bytes
from raw_frames f where f.arrival_key = a.arrival_key and f.night = %(evening)s;
update manifest_entries m set sha256 = f.sha256, bytes = f.bytes
from raw_frames f where f.inbox_name = m.file_name and f.night = m.night and m.night = %(evening)s;
update products set sha256 = encode(sha256(path::bytea), 'hex'), bytes = octet_length(path) where night = %(evening)s;
update manifests set sha256 = encode(sha256(path::bytea), 'hex') where night = %(evening)s;
-- the alerts of an exposure lie in one tar, its members in their order, each a header and one block
update alerts a set packet_offset = t.offset, packet_bytes = octet_length(a.candid::text)
from (select candid, shutter_open, 512 + 1024 * (row_number() over (partition by packet_path order by candid) - 1) as offset
    from alerts where night = %(evening)s) t
where a.candid = t.candid and a.shutter_open = t.shutter_open
