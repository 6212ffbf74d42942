-- What a night left, without what differs between two runs of the same night: times of the machine, hosts, attempts,
-- tokens, the broker's offsets, the code and the settings' hashes (what they change shows in what was made), and paths
-- that hold them. Of a time that is left out it is kept whether it is set.
-- Nor the night by which rows lie in their month: it is the exposure's.
-- One query a table, of the table's name; `key` says which row it is, `content` what is compared.

-- name: nights
select site || ' ' || night as key,
    to_jsonb(t) - '{closing_since,closed_at,changed,code_version,settings,settings_hashes}'::text[] || jsonb_build_object('closed_at', closed_at is not null) as content
from nights t order by 1;

-- name: exposures
select instrument || '/' || exposure_id as key,
    to_jsonb(t) - '{first_arrival_at,last_arrival_at,run_id,ended_at}'::text[]
        || jsonb_build_object('ended_at', ended_at is not null) as content
from exposures t order by 1;

-- name: arrivals
-- The arrival's own key holds inode and times, and names the place of what was quarantined.
select inbox_name || ' ' || coalesce(sha256, '-') as key,
    to_jsonb(t) - '{arrival_key,arrived_at,kept_path}'::text[] || jsonb_build_object('kept', kept_path is not null) as content
from arrivals t order by 1, disposition, detail;

-- name: raw_frames
select instrument || '/' || exposure_id || '/' || detector as key,
    to_jsonb(t) - '{arrival_key,registered_at,deleted_at}'::text[] as content
from raw_frames t order by 1;

-- name: quarantine
select a.inbox_name || ' ' || coalesce(a.sha256, '-') as key,
    to_jsonb(t) - '{arrival_key,path,quarantined_at,disposed_at,deleted_at}'::text[]
        || jsonb_build_object('disposed_at', t.disposed_at is not null) as content
from quarantine t join arrivals a using (arrival_key) order by 1, t.reason, t.detail;

-- name: units
select unit_key || ' ' || campaign as key,
    to_jsonb(t) - '{ended_at,night}'::text[] || jsonb_build_object('ended_at', ended_at is not null) as content
from units t order by 1;

-- name: products
-- Which job made a product, the frame's own or a later one, depends on when its reference came. What the bytes are
-- is compared file by file.
select product_key as key,
    to_jsonb(t) - '{sha256,bytes,code_version,settings_hash,job_key,attempt,made_at,deleted_at,leaves_with}'::text[]
        as content
from products t order by 1;

-- name: product_inputs
select product_key || ' ' || role || ' ' || input_key as key,
    to_jsonb(t) - '{sha256,leaves_with}'::text[] as content
from product_inputs t order by 1;

-- name: calibrations
select calibration_key as key, to_jsonb(t) - '{built_at}'::text[] as content from calibrations t order by 1;

-- name: calibration_frames
select calibration_key || ' ' || exposure_id || '/' || detector as key, to_jsonb(t) as content
from calibration_frames t order by 1;

-- name: image_quality
select unit_key as key, to_jsonb(t) - '{measured_at,night}'::text[] as content from image_quality t order by 1;

-- name: reference_images
select reference_key as key, to_jsonb(t) - '{built_at}'::text[] as content from reference_images t order by 1;

-- name: reference_members
select reference_key || ' ' || unit_key as key, to_jsonb(t) as content from reference_members t order by 1;

-- name: differences
-- The moment of release order under the name of its column before, so that a fingerprint taken then compares with one of
-- today.
select unit_key || ' ' || campaign as key,
    to_jsonb(t) - '{ended_at,released_at,night,release_order_at}'::text[] || jsonb_build_object(
        'released_at', released_at is not null,
        'turn', coalesce(to_jsonb(t) -> 'release_order_at', to_jsonb(t) -> 'turn')) as content
from differences t order by 1;

-- name: objects
select object_id as key, to_jsonb(t) as content from objects t order by 1;

-- name: candidates
select candid::text as key,
    to_jsonb(t) - '{layout,numbers,singles,texts}'::text[]
        || jsonb_build_object('record', unpack_record(layout, numbers, singles, texts)) as content
from candidates t order by 1;

-- name: alerts
-- Which tar holds a packet depends on what was released together.
select candid::text as key,
    to_jsonb(t) - '{packet_path,packet_offset,released_at}'::text[]
        || jsonb_build_object('released_at', released_at is not null) as content
from alerts t order by 1;

-- name: outbox
select candid || ' ' || topic as key,
    to_jsonb(t) - '{shutter_open,queued_at,acknowledged_at,broker_partition,broker_offset,tries,last_error}'::text[] as content
from outbox t order by 1;

-- name: tracklets
select tracklet_key as key, to_jsonb(t) as content from tracklets t order by 1;

-- name: tracklet_members
select tracklet_key || ' ' || candid as key, to_jsonb(t) as content from tracklet_members t order by 1;

-- name: stacking_sets
select instrument || '/' || set_number as key, to_jsonb(t) as content from stacking_sets t order by 1;

-- name: stacking_set_members
select instrument || '/' || set_number || ' ' || exposure_id as key, to_jsonb(t) as content
from stacking_set_members t order by 1;

-- name: manifests
select site || ' ' || night || ' ' || part as key, to_jsonb(t) - '{received_at}'::text[] as content from manifests t order by 1;

-- name: manifest_entries
select site || ' ' || night || ' ' || file_name as key, to_jsonb(t) as content from manifest_entries t order by 1;

-- name: archive_files
-- Packets are compared one by one, whatever tar they came in; the night's own tar holds all of them in order. In which
-- version of its bag a file came first says how often the night was closed.
select distinct on (key) regexp_replace(path, '[^/]+_v[0-9]+/data/', '') as key,
    to_jsonb(t) - '{archived_at,verified_at,sha256,bytes,path}'::text[]
        || jsonb_build_object('verified_at', verified_at is not null,
            'source', regexp_replace(source, '[^/]+_v[0-9]+/data/', '')) as content
from archive_files t where kind not in ('packets', 'bag') order by key, archived_at desc, path desc;

-- name: reports
select site || ' ' || night || ' ' || kind as key,
    to_jsonb(t) - '{sent_at,message_id}'::text[] || jsonb_build_object('sent_at', sent_at is not null) as content
from reports t order by 1;

-- name: campaigns
select campaign as key, to_jsonb(t) - '{created_at}'::text[] as content from campaigns t order by 1;

-- name: overrides
select subject || ' ' || override_id as key, to_jsonb(t) - '{override_id,made_at}'::text[] as content
from overrides t order by subject, override_id;

-- name: tables
-- Without the partitions of one, and with the view by which `image_measurements` is compared: its columns have names.
select relname::text as table_name from pg_class
where relnamespace = 'public'::regnamespace and not relispartition
    and (relkind in ('r', 'p') or relname = 'image_quality') order by relname;

-- name: packet_places
select candid, packet_path, packet_offset, packet_bytes, packet_sha256 from alerts
where packet_path is not null order by candid;

-- name: deleted_places
-- Files that left the depot by retention: the archive has them, by the same checksum.
select d.path, 'archive/' || a.path as archived
from deletions d
join archive_files a on a.site = d.site and a.night = d.night and a.source = d.path and a.sha256 = d.sha256
where d.restored_on is null order by d.path;
