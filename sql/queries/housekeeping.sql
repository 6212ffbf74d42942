-- Housekeeping: how full the disks are, what may leave the depot and what left it, and the upkeep of tables.

-- What may leave ---------------------------------------------------------------------------------------------

-- name: observed_nights
-- row: ObservedNight
-- Nights of which exposures came, the newest first: by these the age of files is counted.
select n.night, n.state, n.changed, n.closed_at
from nights n
where n.site = :site and exists (select from exposures e where e.site = n.site and e.night = n.night)
order by n.night desc;

-- name: cleaned
-- row: CleanedNight
-- What was cleaned since its night was closed last: nothing of it is left to delete.
select c.night, c.kind
from cleaned_nights c join nights n using (site, night)
where c.site = :site and c.cleaned_at > n.closed_at;

-- name: put_cleaned!
insert into cleaned_nights (site, night, kind) values (:site, :night, :kind)
on conflict (site, night, kind) do update set cleaned_at = now();

-- name: forget_cleaned!
delete from cleaned_nights where site = :site and night = :night;

-- name: why_night_stays$
-- Something of a night that still reads its files; empty where nothing does.
select case
    when n.state <> 'closed' then 'the night is ' || n.state
    when n.changed then 'something of the night is new since it was closed'
    when exists (select from exposures e where e.site = :site and e.night = :night and e.image_type = 'science'
        and e.state <> 'ended') then 'an exposure of the night has not ended'
    when exists (select from units u join exposures e using (instrument, exposure_id, night)
        where e.site = :site and night = :night and u.state in ('pending', 'running')) then 'a unit of the night is due'
    when exists (select from unreleased r where r.night = :night) then 'alerts of the night await their release'
    when exists (select from alerts a join outbox o using (candid, shutter_open)
        where a.site = :site and a.night = :night and o.state in ('held', 'queued')) then 'alerts of the night are not sent'
    when exists (select from attempts a where a.night = :night and a.state in ('intended', 'submitted'))
        then 'jobs of the night are under way'
    when exists (select from detached_months d where d.month = to_char(:night::date, 'YYYYMM'))
        then 'the month of the night has left the ledger'
    else '' end as why
from nights n where n.site = :site and n.night = :night;

-- name: lasting_work$
-- Whether a master or a reference is being made at a site: it may read files of any night.
select exists (select from attempts a join jobs j using (job_key) join kinds k on k.kind = j.kind
    where a.state in ('intended', 'submitted') and k.lasting and j.site = :site) as under_way;

-- name: has_second_place$
-- Whether a second copy of the site's files is made anywhere.
select exists (select from copy_places where site = :site and retired_at is null) as has;

-- name: files_due
-- row: DueFile
-- nullable: restored_on, archived_in_two_places
-- Files of a night in the depot that the archive has too, with the same content, by the ledger; and their place in the
-- archive where it and the second copy were read back and found equal.
select a.path as archived, a.source, a.kind, a.sha256, a.bytes, d.restored_on,
    t.archive_path as archived_in_two_places
from archive_files a
left join files_in_two_places t on t.site = :site and t.night = :night and t.source = a.source and t.sha256 = a.sha256
    and t.archive_path = a.path
left join deletions d on d.path = a.source and d.night = :night
where a.site = :site and a.night = :night and a.kind = :kind and (d.path is null or d.restored_on is not null)
    and case split_part(a.kind, '/', 1)
        when 'raw' then exists (select from raw_frames f where f.path = a.source and f.sha256 = a.sha256)
        when 'product' then exists (select from products p
            where p.path = a.source and p.leaves_with = :night and p.sha256 = a.sha256 and p.deleted_at is null)
        when 'packets' then exists (select from alerts l
            where l.site = :site and l.night = :night and l.packet_path = a.source)
        when 'quarantine' then exists (select from quarantine q where q.path = a.source)
        else false end
order by a.source;

-- name: needed_products
-- row: NeededProduct
-- not null: why
-- Products of a night that later nights use.
select p.path, 'a reference in service is made of it' as why
from products p join reference_members m on m.unit_key = p.unit_key join reference_images r using (reference_key)
where p.site = :site and p.night = :night and p.leaves_with = :night and p.kind in ('calibrated', 'sources')
    and r.state in ('built', 'in_service')
union
select p.path, 'it is the catalogue of its field'
from products p join sources_without_catalogue w using (product_key)
where p.site = :site and p.night = :night and p.leaves_with = :night and w.night = :night
union
select p.path, 'its quadrant has no reference yet, and may get one of it'
from products p
join units u on u.unit_key = p.unit_key and u.night = :night and u.state = 'processed'
join exposures e on e.instrument = u.instrument and e.exposure_id = u.exposure_id
join image_measurements q on q.unit_key = u.unit_key and q.night = :night and q.good
where p.site = :site and p.night = :night and p.leaves_with = :night and p.kind in ('calibrated', 'sources')
    and e.image_type = 'science' and e.field is not null
    and not exists (select from reference_images r where r.field = e.field and r.instrument = e.instrument
        and r.detector = u.detector and r.quadrant = u.quadrant and r.filter = e.filter
        and r.state in ('built', 'in_service'));

-- name: folders_due
-- row: DueFolder
-- not null: path, failed
-- Folders of a night's jobs, and whether an attempt of it failed.
select s.path, bool_or(s.failed) as failed
from (
    select regexp_replace(x.job_file, '/[^/]+$', '') as path,
        exists (select from attempts a where a.job_key = x.job_key and a.submission = x.submission and a.night = :night
            and a.state in ('failed', 'lost')) as failed
    from jobs j join submissions x using (job_key) where j.site = :site and x.night = :night) s
where not exists (select from deletions d where d.path = s.path and d.night = :night)
group by s.path order by s.path;

-- Mark, remove, confirm --------------------------------------------------------------------------------------

-- name: make_month_of_night
-- A month that left before there were deletions has no partition for them when it is back.
select make_partitions(to_char(:night::date, 'YYYYMM'));

-- name: begin_clean_up$
insert into clean_ups (site, operator, newest_night, rules) values (:site, :operator, :newest_night, :rules)
returning clean_up;

-- name: end_clean_up!
update clean_ups set ended_at = now(), files = :files, bytes = :bytes, why_not = :why_not where clean_up = :clean_up and site = :site;

-- name: mark_files
-- row: MarkedPath
-- Those that have two verified places at this moment, and no others. One that was brought back may leave again.
insert into deletions (site, night, path, kind, sha256, bytes, rule, clean_up)
select distinct on (t.source) :site, :night, t.source, :kind, t.sha256, t.bytes, :rule, :clean_up
from unnest(:paths::text[], :checksums::text[]) as f (path, sha256)
join files_in_two_places t on t.site = :site and t.night = :night and t.source = f.path and t.sha256 = f.sha256
join nights n on n.site = :site and n.night = :night and n.state = 'closed' and not n.changed
on conflict (path, night) do update set kind = excluded.kind, sha256 = excluded.sha256, bytes = excluded.bytes,
    rule = excluded.rule, clean_up = excluded.clean_up, marked_at = now(), deleted_at = null, restored_on = null
where deletions.restored_on is not null
returning path;

-- name: mark_folder!
insert into deletions (site, night, path, kind, bytes, rule, clean_up)
values (:site, :night, :path, :kind, :bytes, :rule, :clean_up) on conflict (path, night) do nothing;

-- name: mark_products!
-- From now on no plan takes them.
update products set deleted_at = now()
where site = :site and night = :night and leaves_with = :night and path = any (:paths::text[]);

-- name: mark_raw_frames!
update raw_frames f set deleted_at = now() from exposures e
where e.site = :site and e.instrument = f.instrument and e.exposure_id = f.exposure_id and f.path = any (:paths::text[]);

-- name: mark_quarantined!
update quarantine q set deleted_at = now() from arrivals a
where a.arrival_key = q.arrival_key and coalesce(a.site, :site) = :site and q.path = any (:paths::text[]);

-- name: marked
-- row: MarkedFile
-- nullable: sha256, archived_in_two_places
-- What was marked and not confirmed, with its place in the archive where it has two verified places.
select d.night, d.path, d.kind, d.sha256, d.bytes, t.archive_path as archived_in_two_places
from deletions d
left join files_in_two_places t on t.site = d.site and t.night = d.night and t.source = d.path and t.sha256 = d.sha256
where d.site = :site and d.deleted_at is null
order by d.night, d.path;

-- name: confirm!
update deletions set deleted_at = now()
where site = :site and night = :night and path = any (:paths::text[]) and deleted_at is null;

-- name: unmark!
-- They stay after all.
delete from deletions where site = :site and night = :night and path = any (:paths::text[]) and deleted_at is null;

-- name: unmark_products!
update products set deleted_at = null
where site = :site and night = :night and leaves_with = :night and path = any (:paths::text[]);

-- name: unmark_raw_frames!
update raw_frames f set deleted_at = null from exposures e
where e.site = :site and e.instrument = f.instrument and e.exposure_id = f.exposure_id and f.path = any (:paths::text[]);

-- name: unmark_quarantined!
update quarantine q set deleted_at = null from arrivals a
where a.arrival_key = q.arrival_key and coalesce(a.site, :site) = :site and q.path = any (:paths::text[]);

-- What left --------------------------------------------------------------------------------------------------

-- name: deleted_files
-- row: DeletedFile
-- not null: deleted_at
-- Which of some places hold nothing because their file left by retention, and is not back.
select d.path, d.site, d.night, d.kind, d.rule, coalesce(d.deleted_at, d.marked_at) as deleted_at
from deletions d join unnest(:file_paths::text[]) as f (path) using (path)
where d.restored_on is null order by d.path;

-- name: deleted_of_unit
-- row: DeletedFile
-- not null: deleted_at
select d.path, d.site, d.night, d.kind, d.rule, coalesce(d.deleted_at, d.marked_at) as deleted_at
from products p join deletions d on d.path = p.path and d.night = p.leaves_with
where p.unit_key = :unit_key and p.leaves_with = night_of(:unit_key) and d.restored_on is null order by d.path;

-- name: deleted_of_exposure
-- row: DeletionsOfExposure
-- not null: first_at
-- nullable: restore_night
-- Files of an exposure that left by retention, by their kind.
select d.kind, d.rule, count(*) as files, min(coalesce(d.deleted_at, d.marked_at)) as first_at,
    min(d.night) as restore_night
from deletions d
where d.night = night_of(:key) and d.restored_on is null and (
    d.path in (select f.path from raw_frames f
        where f.instrument = split_part(:key, '/', 1) and f.exposure_id = split_part(:key, '/', 2))
    or d.path in (select p.path from products p join units u on u.unit_key = p.unit_key and u.night = p.leaves_with
        where u.instrument = split_part(:key, '/', 1) and u.exposure_id = split_part(:key, '/', 2)
            and u.night = night_of(:key)))
group by d.kind, d.rule order by d.kind;

-- name: archived_places
-- row: ArchivedPlace
-- Where the archive has a file that left the depot by retention.
select a.path as archived from deletions d
join archive_files a on a.site = d.site and a.night = d.night and a.source = d.path and a.sha256 = d.sha256
where d.path = :file_path and d.restored_on is null order by a.verified_at desc nulls last;

-- name: files_to_restore
-- row: FileToRestore
-- not null: sha256
-- nullable: of_kind
-- Files of a night that left, and where the archive has them.
select d.path, d.kind, d.sha256, d.bytes, a.path as archived
from deletions d
join archive_files a on a.site = d.site and a.night = d.night and a.source = d.path and a.sha256 = d.sha256
where d.site = :site and d.night = :night and d.restored_on is null and d.deleted_at is not null
    and (:of_kind::text is null or d.kind = :of_kind)
order by d.path;

-- name: restored!
update deletions set restored_on = :restored_on
where site = :site and night = :night and path = any (:paths::text[]) and deleted_at is not null;

-- name: last_clean_up^
-- row: CleanUp
-- nullable: ended_at
select clean_up, operator, newest_night, began_at, ended_at, files, bytes, why_not
from clean_ups where site = :site and newest_night <= :night order by clean_up desc limit 1;

-- name: deleted_by_kind
-- row: DeletedOfKind
-- not null: bytes
-- What a clean-up deleted, by the kind of file and the setting.
select d.kind, d.rule, count(*) as files, sum(d.bytes)::bigint as bytes, min(d.night) as first_night,
    max(d.night) as last_night
from deletions d where d.site = :site and d.clean_up = :clean_up and d.deleted_at is not null
group by d.kind, d.rule order by d.kind;

-- Disks ------------------------------------------------------------------------------------------------------

-- name: put_sample!
-- Not more often than that.
insert into disk_samples (name, sampled_at, folder, total_bytes, free_bytes)
select :disk, :now, :folder, :total_bytes, :free_bytes
where not exists (select from disk_samples where name = :disk and sampled_at > :now::timestamptz - make_interval(secs => :every_s)
    and sampled_at <= :now)
on conflict (name, sampled_at) do nothing;

-- name: thin_samples!
-- Of days before the last two the last sample of each stays, and nothing of long ago.
delete from disk_samples s
where s.sampled_at < :now::timestamptz - make_interval(days => :keep_days)
    or s.sampled_at < :now::timestamptz - interval '2 days' and exists (select from disk_samples l
        where l.name = s.name and l.sampled_at > s.sampled_at
            and (l.sampled_at at time zone 'UTC')::date = (s.sampled_at at time zone 'UTC')::date);

-- name: samples
-- row: DiskSample
-- Of each disk the last sample of each day, since some moment.
select distinct on (name, (sampled_at at time zone 'UTC')::date) name, sampled_at, folder, total_bytes, free_bytes
from disk_samples where sampled_at between :since and :now
order by name, (sampled_at at time zone 'UTC')::date, sampled_at desc;

-- name: second_places
-- row: SecondPlace
-- Where second copies are kept now.
select site, place from copy_places where site = any (:sites::text[]) and retired_at is null order by site;

-- name: warned
-- row: DiskWarning
select name, level from disk_warnings order by name;

-- name: put_warning!
insert into disk_warnings (name, level) values (:disk, :level::event_level)
on conflict (name) do update set level = excluded.level, said_at = now();

-- name: delete_warning!
delete from disk_warnings where name = :disk;

-- name: ledger_bytes$
select pg_database_size(current_database()) as bytes;

-- name: ledger_folder$
-- nullable: folder
-- Where the server keeps its data; null where this user may not know.
select (select setting from pg_settings where name = 'data_directory') as folder;

-- The ledger's own upkeep ------------------------------------------------------------------------------------

-- name: make_month_of
-- Makes the partitions of a moment's month (UTC) before they are needed.
select make_month(:moment);

-- name: grown_tables
-- row: GrownTable
-- Tables of which many rows changed since they were last vacuumed or analysed.
select relname::text as table_name, n_live_tup as live, n_dead_tup as dead
from pg_stat_user_tables
where n_dead_tup > 1000 + n_live_tup / 20 or n_mod_since_analyze > 1000 + n_live_tup / 20
order by n_dead_tup + n_mod_since_analyze desc limit :most;
