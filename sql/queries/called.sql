-- What people call things: from what they write to the key that the ledger has.

-- name: exposures_called
-- row: CalledExposure
-- Exposures of this id, and the one of this instrument and id.
select e.instrument, e.exposure_id from exposures e where e.exposure_id = :text
union
select e.instrument, e.exposure_id from exposures e
where e.instrument = split_part(:text, '/', 1) and e.exposure_id = split_part(:text, '/', 2)
    and e.instrument || '/' || e.exposure_id = :text
order by instrument;

-- name: candidate_called^
-- row: CalledCandidate
select c.candid, c.shutter_open, c.unit_key from candidates c where c.candid = :candid;

-- name: is_master$
select exists (select from calibrations where calibration_key = :key) as found;

-- name: is_reference$
select exists (select from reference_images where reference_key = :key) as found;
