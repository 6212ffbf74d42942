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

-- Campaigns ----------------------------------------------------------------------------------------------------

-- A campaign's masters and references stand beside the live ones. They have no tier: a master serves previews and
-- processed frames alike, and a reference is made of processed frames only.
alter table calibrations add column campaign text not null default 'live' references campaigns;
alter table reference_images add column campaign text not null default 'live' references campaigns;
alter table calibrations alter column campaign drop default;
alter table reference_images alter column campaign drop default;
alter table calibrations drop constraint calibrations_pkey,
    add primary key (kind, instrument, detector, quadrant, filter, night, epoch, version, campaign);
alter table reference_images drop constraint reference_images_pkey,
    add primary key (field, instrument, detector, quadrant, filter, version, campaign);

-- The text of their keys ends with the campaign, and so do the keys of what was made by them. Where files are, in the
-- depot, stays; what events and overrides say stays as it was said.
create function pg_temp.with_campaign(key text) returns text language sql immutable as $$
    select regexp_replace(key,
        '^((?:bias|dark|flat)/[^/]+/d\d+/q\d+/[^/]+/\d+/e\d+/v\d+|reference/\d+/[^/]+/d\d+/q\d+/[^/]+/v\d+)(/\w+)?$',
        '\1/live\2')
$$;

alter table calibration_frames drop constraint calibration_frames_calibration_key_fkey;
alter table reference_members drop constraint reference_members_reference_key_fkey;
alter table differences drop constraint differences_reference_key_fkey;
alter table product_inputs drop constraint product_inputs_product_key_fkey;
alter table calibrations drop constraint calibrations_product_key_fkey;
alter table reference_images drop constraint reference_images_product_key_fkey;
drop trigger candidates_sent_stay on candidates; -- an alert that was sent does not hold the reference's key

update calibrations set calibration_key = pg_temp.with_campaign(calibration_key),
    product_key = pg_temp.with_campaign(product_key);
update calibration_frames set calibration_key = pg_temp.with_campaign(calibration_key);
update reference_images set reference_key = pg_temp.with_campaign(reference_key),
    product_key = pg_temp.with_campaign(product_key);
update reference_members set reference_key = pg_temp.with_campaign(reference_key);
update differences set reference_key = pg_temp.with_campaign(reference_key);
update candidates set reference_key = pg_temp.with_campaign(reference_key);
update attempts set unit_key = pg_temp.with_campaign(unit_key)
where unit_key ~ '^(bias|dark|flat|reference)/';
update products set unit_key = pg_temp.with_campaign(unit_key), product_key = pg_temp.with_campaign(product_key)
where unit_key ~ '^(bias|dark|flat|reference)/';
update product_inputs set product_key = pg_temp.with_campaign(product_key),
    input_key = pg_temp.with_campaign(input_key)
where product_key ~ '^(bias|dark|flat|reference)/' or input_key ~ '^(bias|dark|flat|reference)/';

create trigger candidates_sent_stay before update on candidates
    for each row execute function refuse_change_behind_sent();
alter table calibration_frames add foreign key (calibration_key) references calibrations (calibration_key);
alter table reference_members add foreign key (reference_key) references reference_images (reference_key);
alter table differences add foreign key (reference_key) references reference_images (reference_key);
alter table product_inputs add foreign key (product_key) references products on delete cascade;
alter table calibrations add foreign key (product_key) references products;
alter table reference_images add foreign key (product_key) references products;
