-- Bytes a night of each table with its indexes and partitions: what it holds by the nights that it holds.
with sizes as (
    select coalesce(i.inhparent::regclass, c.oid::regclass)::text as name, sum(pg_total_relation_size(c.oid)) as bytes
    from pg_class c left join pg_inherits i on i.inhrelid = c.oid
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' group by 1
), held as (
    select (select count(*) from nights) as nights, (select count(distinct night) from arrivals) as files,
        (select count(distinct night) from alerts) as alerts
)
select s.name, case
    when s.name in ('reference_images', 'reference_members', 'reasons', 'record_layouts') then 0
    when s.name in ('candidates', 'alerts', 'outbox', 'objects') then s.bytes / held.alerts
    when s.name in ('arrivals', 'raw_frames', 'manifests', 'manifest_entries', 'attempts', 'products', 'product_inputs',
        'archive_files') then s.bytes / held.files
    else s.bytes / held.nights end as bytes
from sizes s cross join held order by 2 desc
