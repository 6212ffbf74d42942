-- What was made, and from what.

-- name: put_product!
-- By its kind of work it leaves with the month of its night, or stays.
insert into products (product_key, leaves_with, kind, unit_key, campaign, site, night, path, sha256, bytes, code_version,
    settings_hash, job_key, attempt)
values (:product_key, leaves_with(:job_key, :night), :kind, :unit_key, :campaign, :site, :night, :path, :sha256, :bytes, :code_version,
    :settings_hash, :job_key, :attempt)
on conflict (product_key, leaves_with) do update set
    path = excluded.path, sha256 = excluded.sha256, bytes = excluded.bytes, code_version = excluded.code_version,
    settings_hash = excluded.settings_hash, job_key = excluded.job_key, attempt = excluded.attempt, made_at = now(),
    deleted_at = null;

-- name: inputs_changed$
-- Whether some of these inputs is another product by now, or a quadrant's that is no more: it was reduced again.
select exists (select from unnest(:keys::text[], :checksums::text[]) as i (input_key, sha256)
    left join products p on p.product_key = i.input_key and p.leaves_with = night_of(i.input_key)
    where p.sha256 <> i.sha256 or (p.product_key is null and exists (select from units u
        where u.unit_key = regexp_replace(i.input_key, '/[^/]+$', '') and u.night = night_of(i.input_key)))) as changed;

-- name: delete_product_inputs!
delete from product_inputs where product_key = :product_key and leaves_with = leaves_with(:job_key, :night);

-- name: put_product_inputs!
insert into product_inputs (product_key, leaves_with, role, input_key, sha256)
select :product_key, leaves_with(:job_key, :night), i.role, i.input_key, i.sha256
from jsonb_to_recordset((:inputs)::jsonb -> 'rows') as i (role text, input_key text, sha256 text)
on conflict do nothing;
