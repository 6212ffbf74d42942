-- Months that left the ledger: what a night needs of them, and what comes back with one.

-- The months in which a night has rows: that of its date, and those (UTC) of its moments.
create function months_of_night(night date, begins timestamptz, ends timestamptz) returns text[]
language sql immutable as $$
    select array[to_char(night, 'YYYYMM'), to_char(begins at time zone 'UTC', 'YYYYMM'),
        to_char(ends at time zone 'UTC', 'YYYYMM')]
$$;

-- As before; and differences whose alerts were not decided on await that again.
create or replace function attach_month(of_parent text, of_month text) returns void language plpgsql as $$
declare
    span record;
begin
    select b.* into span from tables_by_month() t cross join lateral bounds_of_month(of_month, t.by_date) b
    where t.parent = of_parent;
    execute format('alter table %I attach partition %I for values from (%L) to (%L)', of_parent,
        of_parent || '_' || of_month, span.begins, span.ends);
    if of_parent = 'differences' then
        insert into unreleased (unit_key, campaign, night)
        select unit_key, campaign, night from differences
        where night >= span.begins::date and night < span.ends::date and state = 'processed' and released_at is null
        on conflict do nothing;
    end if;
end $$;

-- Exposures of which nothing was waited for any more when their night's deadline passed have ended; those that were left
-- before have ended too.
update exposures e set state = 'ended', ended_at = now()
from nights n
where n.site = e.site and n.night = e.night and n.state = 'closed' and not n.changed and e.state <> 'ended'
    and not exists (select from units u where u.instrument = e.instrument and u.exposure_id = e.exposure_id
        and u.night = e.night and u.state in ('pending', 'running'));
