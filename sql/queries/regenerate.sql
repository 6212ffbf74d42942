-- What a request for a new version of a reference asks of the ledger.

-- name: lock_field
-- One request at a time for one field and filter; released with the transaction.
select pg_advisory_xact_lock(hashtextextended('regenerate/' || :subject, 0));

-- name: request
select (detail ->> 'version')::integer as version
from audit where action = :action and detail ->> 'request_id' = :request_id order by audit_id limit 1;

-- name: next_version
-- After every version that was made, or asked for and is still to come.
select 1 + greatest(
    (select coalesce(max(version), 0) from reference_images
     where instrument = :instrument and field = :field and filter = :filter),
    (select coalesce(max((detail ->> 'version')::integer), 0) from audit
     where action = 'regenerate_reference' and detail ->> 'instrument' = :instrument
        and detail ->> 'field' = (:field)::text and detail ->> 'filter' = :filter)) as version;

-- name: put_audit!
insert into audit (operator, action, subject, detail) values (:operator, :action, :subject, :detail);
