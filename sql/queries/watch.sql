-- What the watch over the inbox asks of the ledger.

-- name: under_way$
-- Runs that will have something done soon; one that is older says nothing any more.
select count(*)::integer as runs
from runs where ended_at is null and dag_id <> 'end_of_night' and requested_at > now() - make_interval(secs => :lately_s);

-- name: last_look^
select boot, steady_s, extract(epoch from clock_timestamp() - looked_at)::double precision as since_s
from watch for update;

-- name: put_look!
insert into watch (looked_at, before_that, boot, steady_s)
values (clock_timestamp(), null, :boot, :steady_s)
on conflict (one) do update
set before_that = watch.looked_at, looked_at = excluded.looked_at, boot = excluded.boot, steady_s = excluded.steady_s;

-- name: put_pause!
-- Between the look before and this one, which are so many steady seconds apart.
insert into pauses (kind, until_at, after_at, seconds)
select :kind, before_that + make_interval(secs => :passed), looked_at, :seconds from watch;

-- name: storage
-- row: KnownStorage
select name, marker from storage;

-- name: put_storage!
insert into storage (name, marker) values (:folder, :marker) on conflict (name) do nothing;

-- name: waits
-- row: Wait
select name, why, since, steady_age_s(since) as waited_s
from waits order by since, name;

-- name: put_wait!
insert into waits (name, why) values (:folder, :why) on conflict (name) do nothing;

-- name: delete_wait!
delete from waits where name = :folder;

-- name: quiet_s$
-- For how many seconds nothing came out of the inbox since a moment, pauses left out. Whatever arrives is of a night
-- that is not closed or changes it.
select steady_age_s(greatest((:since)::timestamptz, (
    select max(newest.arrived_at) from nights n cross join lateral (
        select a.arrived_at from arrivals a where a.site = n.site and a.night = n.night
        order by a.arrived_at desc limit 1) newest
    where n.state in ('open', 'closing') or n.changed))) as quiet_s;
