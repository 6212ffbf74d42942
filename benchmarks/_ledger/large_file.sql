-- A product that is large.
insert into products (product_key, leaves_with, kind, unit_key, site, night, path, sha256, bytes, code_version,
    settings_hash, job_key, attempt)
values (%s, %s, 'calibrated', 'u', 'palomar', %s, %s, %s, %s, '0', '0', 'j', 1);
