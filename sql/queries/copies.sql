-- Second copies: what is to be copied, verified again and mended, and what has two places.

-- name: in_two_places$
-- Whether a file of the depot has two verified places, so that its name there may be deleted: by its path below the depot
-- and the checksum that its own table says it has.
select exists (select from files_in_two_places where source = :source and sha256 = :sha256) as found;

-- Places -----------------------------------------------------------------------------------------------------

-- name: place^
-- row: CopyPlaceRow
select place, marker, trouble, trouble_since, tries, next_try_at, retired_at, next_try_at <= now() as may_try
from copy_places where site = :site and place = :place;

-- name: put_place!
insert into copy_places (site, place, marker) values (:site, :place, :marker)
on conflict (site, place) do update set retired_at = null, marker = excluded.marker;

-- name: retire_other_places!
update copy_places set retired_at = now() where site = :site and place <> :place and retired_at is null;

-- name: put_trouble$
-- nullable: said_before
-- Returns since when it has had one, as of before.
with before as (select trouble_since from copy_places where site = :site and place = :place)
insert into copy_places as c (site, place, trouble, trouble_since, tries, next_try_at)
values (:site, :place, :trouble, now(), 1, now() + make_interval(secs => :first_s))
on conflict (site, place) do update
    set trouble = excluded.trouble, trouble_since = coalesce(c.trouble_since, now()), tries = c.tries + 1,
        next_try_at = now()
            + make_interval(secs => least(:most_s::double precision, :first_s * power(2, least(c.tries, 20))))
returning (select trouble_since from before) as said_before;

-- name: delete_trouble$
-- nullable: since
-- Returns since when it had one.
with before as (
    select trouble_since from copy_places
    where site = :site and place = :place and trouble_since is not null for update)
update copy_places c set trouble = '', trouble_since = null, tries = 0, next_try_at = now()
from before where c.site = :site and c.place = :place
returning before.trouble_since as since;

-- Copies -----------------------------------------------------------------------------------------------------

-- name: want_copies_of_frames!
-- Of the raw frames of nights that are not closed, or have something new since.
insert into copies (site, night, sha256, place, bytes, source)
select distinct on (f.night, f.sha256) n.site, f.night, f.sha256, :place, f.bytes, f.path
from nights n join exposures e on e.site = n.site and e.night = n.night
join raw_frames f on f.instrument = e.instrument and f.exposure_id = e.exposure_id and f.night = n.night
where n.site = :site and (n.state <> 'closed' or n.changed) and not exists (select from copies c
    where c.site = n.site and c.night = f.night and c.sha256 = f.sha256 and c.place = :place)
order by f.night, f.sha256, f.path
on conflict (site, night, sha256, place) do nothing;

-- name: want_copies_of_night!
-- Of all that its archive holds: from there it is copied, whatever is cleared up in the depot.
insert into copies (site, night, sha256, place, bytes, source)
select distinct on (a.sha256) a.site, a.night, a.sha256, :place, a.bytes, 'archive/' || a.path
from archive_files a where a.site = :site and a.night = :night order by a.sha256, a.verified_at is null, a.path
on conflict (site, night, sha256, place) do update set source = excluded.source
    where copies.source is distinct from excluded.source and copies.verified_at is null;

-- name: due_copies
-- row: WantedCopy
-- nullable: of_night
-- What waits, the longest waiting first; of what was tried in vain, that whose pause was over at a moment.
select night, sha256, bytes, source, tries from copies
where site = :site and place = :place and verified_at is null and (tries = 0 or next_try_at <= :by)
    and (:of_night::date is null or night = :of_night)
    and not exists (select from damaged_files d where d.site = copies.site and d.night = copies.night
        and d.place = copies.place and d.sha256 = copies.sha256 and d.mended_at is null) -- that is mended, not copied
order by next_try_at, wanted_at, sha256 limit :most;

-- name: set_copied!
-- Read back from the place and found equal, at a moment after which no damage was found there.
update copies c set copied_at = coalesce(c.copied_at, now()), verified_at = now(), tries = 0, last_error = '',
    next_try_at = now()
where c.site = :site and c.night = :night and c.place = :place and c.sha256 = any (:sha256s::text[])
    and not exists (select from damaged_files d where d.site = c.site and d.night = c.night and d.place = c.place
        and d.sha256 = c.sha256 and d.found_at > :read_at);

-- name: set_not_copied!
update copies set verified_at = null, tries = tries + 1, last_error = :error,
    next_try_at = now() + make_interval(secs => least(:most_s::double precision, :first_s * power(2, least(tries, 20))))
where site = :site and night = :night and place = :place and sha256 = :sha256;

-- name: waiting^
-- row: WaitingCopies
-- nullable: oldest
select count(*) as files, coalesce(sum(bytes), 0)::bigint as bytes, min(wanted_at) as oldest
from copies where site = :site and place = :place and verified_at is null;

-- name: failing_copies
-- row: FailingCopy
select night, sha256, source, tries, last_error from copies
where site = :site and place = :place and verified_at is null and tries > 0
order by tries desc, night, source limit :most;

-- Both places, again -----------------------------------------------------------------------------------------

-- name: archive_to_verify
-- row: ArchivedContent
-- nullable: of_night
-- Of an archive, what was read longest ago.
select night, path, source, sha256, bytes from archive_files
where site = :site and verified_at < :before and (:of_night::date is null or night = :of_night)
order by verified_at, night, path limit :most;

-- name: archive_unverified
-- row: ArchivedContent
-- nullable: of_night
-- Of the archives of nights that were closed, what lost its mark or never had it.
select a.night, a.path, a.source, a.sha256, a.bytes from archive_files a
join nights n on n.site = a.site and n.night = a.night
where a.site = :site and a.verified_at is null and (a.night = :of_night or :of_night::date is null and n.state = 'closed')
order by a.night, a.path;

-- name: copies_to_verify
-- row: CopiedContent
-- nullable: of_night
select night, sha256, bytes from copies
where site = :site and place = :place and verified_at < :before
    and (:of_night::date is null or night = :of_night)
order by verified_at, night, sha256 limit :most;

-- name: late_in_sum^
-- row: LateInSum
-- nullable: oldest, of_night
-- What was read longer ago.
select count(*) as files, coalesce(sum(bytes), 0)::bigint as bytes, min(verified_at) as oldest
from (
    select bytes, verified_at from archive_files
    where site = :site and verified_at < :before and (:of_night::date is null or night = :of_night)
    union all
    select bytes, verified_at from copies
    where site = :site and place = :place and verified_at < :before
        and (:of_night::date is null or night = :of_night)) late;

-- name: set_archive_verified!
-- Read at a moment after which no damage was found.
update archive_files a set verified_at = now()
where a.site = :site and a.night = :night and a.path = :path and a.sha256 = :sha256
    and not exists (select from damaged_files d where d.site = a.site and d.night = a.night and d.place = 'archive'
        and d.file = a.path and d.found_at > :read_at);

-- name: set_archive_damaged!
update archive_files set verified_at = null
where site = :site and night = :night and path = :path and sha256 = :sha256;

-- name: set_copy_damaged!
update copies set verified_at = null, next_try_at = now()
where site = :site and night = :night and place = :place and sha256 = :sha256;

-- name: put_damaged!
insert into damaged_files (site, night, sha256, place, file, says)
values (:site, :night, :sha256, :place, :file, :says)
on conflict (site, night, place, file) where mended_at is null do update
    set says = excluded.says, sha256 = excluded.sha256;

-- name: set_mended!
update damaged_files set mended_at = now()
where site = :site and night = :night and place = :place and file = :file and sha256 = :sha256 and mended_at is null;

-- name: damaged
-- row: DamagedFile
-- nullable: of_night
-- What is not mended.
select night, sha256, place, file, found_at, says from damaged_files
where site = :site and mended_at is null and (:of_night::date is null or night = :of_night)
order by night, place, file;

-- name: archived_as
-- row: ArchivedContent
-- The names of a content in the night's archive.
select night, path, source, sha256, bytes from archive_files
where site = :site and night = :night and sha256 = :sha256 order by path;

-- name: now$
select clock_timestamp() as now;

-- What a place holds of a night, and what the mountain may purge ----------------------------------------------

-- name: want_list!
insert into copied_nights (site, night, place, queued) values (:site, :night, :place, true)
on conflict (site, night, place) do update set stale = true, queued = true;

-- name: want_old_nights!
-- Of a place that is new: what was archived before is copied there too, a night after the other.
insert into copied_nights (site, night, place)
select n.site, n.night, :place from nights n
where n.site = :site and n.state = 'closed'
    and exists (select from archive_files a where a.site = n.site and a.night = n.night)
on conflict (site, night, place) do nothing;

-- name: night_to_queue$
-- nullable: night
select max(night) as night from copied_nights where site = :site and place = :place and not queued;

-- name: set_list_stale!
-- Of a night that was listed: something of it changed.
update copied_nights set stale = true where site = :site and night = :night;

-- name: stale_lists
-- row: StaleList
-- Nights that are to be listed, all of whose files are copied; those that were listed before, at once.
select n.night from copied_nights n
where n.site = :site and n.place = :place and n.stale and n.queued and (n.listed_at is not null or not exists (
    select from archive_files a where a.site = n.site and a.night = n.night and not exists (select from copies c
        where c.site = a.site and c.night = a.night and c.sha256 = a.sha256 and c.place = n.place
            and c.verified_at is not null)))
order by n.night;

-- name: set_listed!
update copied_nights set stale = false, listed_at = now() where site = :site and night = :night and place = :place;

-- name: night_index
-- row: IndexedFile
-- The files of a night's archive that its place in use holds.
select a.path, a.kind, a.sha256, a.bytes from archive_files a
join copies c on c.site = a.site and c.night = a.night and c.sha256 = a.sha256 and c.place = :place
where a.site = :site and a.night = :night and c.verified_at is not null order by a.path;

-- name: raw_of_mountain
-- row: MountainFile
-- nullable: disposition, sent_sha256, invalid_reason, path, sha256, bytes
-- not null: file_name
-- Every name that the mountain sent in a night, or says that it sent, and what is known of it.
select n.file_name, f.path, f.sha256, f.bytes, f.invalid_reason, m.sha256 as sent_sha256,
    exists (select from files_in_two_places t where t.site = :site and t.night = :night and t.source = f.path
        and t.sha256 = f.sha256) as in_two_places,
    exists (select from archive_files a where a.site = :site and a.night = :night and a.source = f.path
        and a.sha256 = f.sha256 and a.verified_at is not null) as archived,
    (select a.disposition || coalesce(': ' || a.reason, '') from arrivals a
        left join quarantine q using (arrival_key)
        where a.inbox_name = n.file_name and a.site = :site and (a.night = :night or a.night_by_clock)
            and a.disposition in ('conflicting', 'quarantined') and q.disposed_at is null
            and (a.disposition = 'conflicting' or f.sha256 is null or m.sha256 is distinct from f.sha256)
        order by a.disposition, a.arrived_at limit 1) as disposition
from (
    select inbox_name as file_name from raw_frames f join exposures e using (instrument, exposure_id)
    where e.site = :site and e.night = :night and f.night = :night
    union select file_name from manifest_entries where site = :site and night = :night
    union select inbox_name from arrivals where site = :site and night = :night
        and disposition in ('conflicting', 'quarantined')) n
left join raw_frames f on f.inbox_name = n.file_name and f.night = :night
left join manifest_entries m on m.site = :site and m.night = :night and m.file_name = n.file_name
order by n.file_name;

-- name: last_said$
-- nullable: kind
select max(kind) as kind from (
    select kind from events where subject = :subject and kind = any (:kinds::text[]) order by event_id desc limit 1) said;

-- name: copy_of^
-- row: CopyOfContent
select bytes, source from copies
where site = :site and night = :night and sha256 = :sha256 and place = :place;
