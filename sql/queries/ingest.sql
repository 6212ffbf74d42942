-- What ingest asks of the ledger and writes there.

-- name: lock_name
-- One at a time for one name; released with the transaction.
select pg_advisory_xact_lock(hashtextextended('inbox/' || :file_name, 0));

-- name: arrival^
-- row: WrittenArrival
select arrival_key, disposition, reason, detail, night, instrument, exposure_id, detector, kept_path
from arrivals where arrival_key = :arrival_key;

-- name: storage_said_lately$
select exists (select from events
    where kind = 'storage_unavailable' and at > statement_timestamp() - interval '1 minute') as said;

-- name: put_arrival!
insert into arrivals (arrival_key, inbox_name, bytes, sha256, disposition, reason, detail, site, night,
    night_by_clock, instrument, exposure_id, detector, kept_path)
values (:arrival_key, :inbox_name, :bytes, :sha256, :disposition::disposition, :reason, :detail, :site, :night,
    :night_by_clock, :instrument, :exposure_id, :detector, :kept_path)
on conflict (arrival_key) do nothing;

-- name: put_quarantine!
insert into quarantine (arrival_key, path, reason, detail)
values (:arrival_key, :path, :reason, :detail) on conflict (arrival_key) do nothing;

-- name: frame_like^
-- The registered frame of that key, or of that name in that night: a camera may use its names again each night.
-- row: SimilarFrame
select sha256, inbox_name = :file_name and night = :night as same_name from raw_frames
where instrument = :instrument and ((exposure_id = :exposure_id and detector = :detector)
    or (night = :night and inbox_name = :file_name))
order by same_name desc limit 1;

-- name: opening^
-- When the shutter opened for the exposure that has this id.
-- row: KnownOpening
select night, shutter_open from exposures where instrument = :instrument and exposure_id = :exposure_id;

-- name: frame_named^
-- Where the name was used in several nights: the frame that a checksum proves, or the newest.
-- row: NamedFrame
select instrument, exposure_id, detector, sha256, path from raw_frames where inbox_name = :file_name
order by sha256 = :sha256 desc, registered_at desc limit 1;

-- name: put_frame!
-- A raw frame of a night that is open, with its exposure and units, in one statement. The first file of an exposure says what it is; one
-- that comes late opens an exposure that had ended, and a unit that was counted as missing is due after all. Only a
-- file that a person takes out of quarantine has an arrival already. A frame that the calendar sets aside is not reduced.
-- nullable: set_aside
with new_exposure as (
    insert into exposures (instrument, exposure_id, site, night, ut_day, image_type, field, filter, exposure_s,
        shutter_open, ra_deg, dec_deg, airmass, object, program_id, sequence, sequence_index, sequence_length,
        detectors_expected, state, ended_at)
    values (:instrument, :exposure_id, :site, :night, :ut_day, :image_type::image_type, :field, :filter, :exposure_s,
        :shutter_open, :ra_deg, :dec_deg, :airmass, :object, :program_id, :sequence, :sequence_index,
        :sequence_length, :detectors_expected::smallint[],
        case when :reduced then 'arriving' else 'ended' end::exposure_state,
        case when :reduced then null else now() end)
    on conflict (instrument, exposure_id) do update set
        last_arrival_at = clock_timestamp(),
        state = case when exposures.state = 'ended' and :reduced then 'arriving' else exposures.state end,
        ended_at = case when :reduced then null else exposures.ended_at end
), new_arrival as (
    insert into arrivals (arrival_key, inbox_name, bytes, sha256, disposition, site, night, instrument, exposure_id,
        detector, kept_path)
    values (:arrival_key, :inbox_name, :bytes, :sha256, 'registered', :site, :night, :instrument, :exposure_id,
        :detector, :path)
    on conflict (arrival_key) do update set disposition = 'registered', reason = null, detail = '',
        night = excluded.night, night_by_clock = false, exposure_id = excluded.exposure_id, detector = excluded.detector,
        kept_path = excluded.kept_path
), new_frame as (
    insert into raw_frames (instrument, exposure_id, detector, night, arrival_key, inbox_name, path, sha256, bytes,
        second_copy, header, invalid_reason)
    values (:instrument, :exposure_id, :detector, :night, :arrival_key, :inbox_name, :path, :sha256, :bytes,
        :second_copy, :header, :set_aside)
)
insert into units (instrument, exposure_id, detector, quadrant, tier, campaign, night, unit_key, state, reason, detail,
    ended_at)
select :instrument, :exposure_id, :detector, u.quadrant, :tier::tier, :campaign, :night, u.unit_key,
    case when :set_aside::text is null then 'pending' else 'rejected' end::unit_state, :set_aside, :set_aside_detail,
    case when :set_aside::text is not null then now() end
from jsonb_to_recordset((:units)::jsonb -> 'rows') as u (quadrant smallint, unit_key text)
on conflict (unit_key, night) do update set state = excluded.state, reason = excluded.reason,
    detail = excluded.detail, ended_at = excluded.ended_at
    where units.state = 'missing';

-- name: set_invalid!
update raw_frames set invalid_reason = :reason
where instrument = :instrument and exposure_id = :exposure_id and detector = :detector and invalid_reason is null;

-- Files that jobs take in -------------------------------------------------------------------------------------

-- name: attempts_at_files
-- How the attempts at some files ended, the first of each file first, and whose they were: also of a job whose night has
-- moved on since.
-- row: AttemptAtFile
select a.unit_key, a.state, a.reason, a.error_class, j.subject
from attempts a join jobs j using (job_key)
where a.unit_key = any (:unit_keys::text[]) order by a.unit_key, a.attempt;

-- name: files_of_job
-- The files at which a job has made an attempt.
-- row: FileOfJob
select distinct unit_key from attempts
where job_key = :job_key and night = any (nights_of_job(:job_key));

-- name: arrived
-- Which of these files have an arrival.
-- row: ArrivedFile
select arrival_key from arrivals where arrival_key = any (:arrival_keys::text[]);

-- Manifests --------------------------------------------------------------------------------------------------

-- name: manifest_entry^
select bytes, sha256 from manifest_entries
where site = :site and night = :night and file_name = :file_name;

-- name: manifest^
-- row: ManifestPart
select sha256, path from manifests where site = :site and night = :night and part = :part;

-- name: put_manifest!
insert into manifests (site, night, part, parts, sha256, path, synthetic)
values (:site, :night, :part, :parts, :sha256, :path, :synthetic)
on conflict (site, night, part) do update set
    parts = excluded.parts, sha256 = excluded.sha256, path = excluded.path, synthetic = excluded.synthetic,
    received_at = now();

-- name: delete_entries!
delete from manifest_entries where site = :site and night = :night and part = :part;

-- name: put_entries!
insert into manifest_entries (site, night, part, file_name, bytes, sha256)
select :site, :night, :part, e.name, e.bytes, e.sha256
from jsonb_to_recordset((:entries)::jsonb -> 'rows') as e (name text, bytes bigint, sha256 text)
on conflict (site, night, file_name) do update set
    part = excluded.part, bytes = excluded.bytes, sha256 = excluded.sha256;

-- name: mark_mismatches
-- Registered frames whose content is not what the mountain says was sent.
-- row: MismatchedFrame
update raw_frames f set invalid_reason = 'manifest_mismatch'
from manifest_entries m, exposures e
where m.site = :site and m.night = :night and m.part = :part and m.file_name = f.inbox_name
    and m.sha256 <> f.sha256 and f.invalid_reason is null
    and e.instrument = f.instrument and e.exposure_id = f.exposure_id and e.site = m.site and e.night = m.night
returning f.instrument, f.exposure_id, f.detector, f.inbox_name;
