-- What the afternoon's checks found, and what somebody was told.

-- name: put_check!
-- nullable: number
insert into preflight_checks (site, night, check_name, state, sentence, number, unit, advice, seconds, checked_at)
values (:site, :night, :check_name, :state::check_state, :sentence, :number, :unit, :advice, :seconds, clock_timestamp())
on conflict (site, night, check_name) do update set state = excluded.state, sentence = excluded.sentence,
    number = excluded.number, unit = excluded.unit, advice = excluded.advice, seconds = excluded.seconds,
    checked_at = excluded.checked_at;

-- name: forget_other_checks!
-- Of an earlier run of the same night: checks that there are no more.
delete from preflight_checks where site = :site and night = :night and check_name <> all (:check_names::text[]);

-- name: checks_of_night
-- row: CheckOfNight
select check_name, state, sentence, number, unit, advice, seconds, checked_at
from preflight_checks where site = :site and night = :night order by check_name;

-- name: raise_alarm!
-- Once, until it is lowered.
insert into preflight_alarms (site, check_name) values (:site, :check_name) on conflict do nothing;

-- name: lower_alarm!
delete from preflight_alarms where site = :site and check_name = :check_name;

-- name: alarms
-- row: Alarm
select check_name, since from preflight_alarms where site = :site order by check_name;

-- name: server^
-- row: PostgresServer
-- not null: bytes, connections_most, connections, read_only, replicas, at
-- What the database says of itself: bytes, connections, whether it takes writes, and who copies it.
select pg_database_size(current_database()) as bytes, current_setting('max_connections')::integer as connections_most,
    (select count(*)::integer from pg_stat_activity where backend_type = 'client backend') as connections,
    pg_is_in_recovery() as read_only, (select count(*)::integer from pg_stat_replication) as replicas,
    clock_timestamp() as at;
