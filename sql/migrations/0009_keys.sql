-- Keys that real cameras need: names that come again each night, and campaigns in the keys of masters and references.

-- File names ---------------------------------------------------------------------------------------------------

-- A camera that numbers anew each night uses its names again: a name is a file's only within its night.
alter table raw_frames add column night date;
update raw_frames f set night = e.night from exposures e
where e.instrument = f.instrument and e.exposure_id = f.exposure_id;
alter table raw_frames alter column night set not null;
drop index raw_frames_inbox_name_idx;
create unique index on raw_frames (instrument, night, inbox_name);
create index on raw_frames (inbox_name);

-- Whether only the clock told the night of an arrival. Of old rows it is not known for those that have no frame.
alter table arrivals add column night_by_clock boolean not null default false;
update arrivals a set night_by_clock = true
where a.disposition = 'quarantined' and a.night is not null;

-- Which arrivals are of a file that a manifest lists. A file whose own header tells its night is that night's; one of
-- which only the clock told it belongs to the last night up to then whose manifest lists its name.
create view arrivals_on_manifests as
select m.site, m.night, m.file_name, a.arrival_key
from manifest_entries m join arrivals a on a.inbox_name = m.file_name and coalesce(a.site, m.site) = m.site
where a.night = m.night or a.sha256 = m.sha256
    or (a.night_by_clock and not exists (
        select from manifest_entries later
        where later.site = m.site and later.file_name = m.file_name
            and later.night > m.night and later.night <= a.night));
