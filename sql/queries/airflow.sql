-- What is asked of Airflow's own database, and not of the ledger.

-- name: end_dead_components!
-- Of Airflow's metadata, while none of its components runs: what a killed one was working on is given to the next at
-- once, and not when its heartbeat has grown old.
update job set state = 'failed', end_date = now() where state = 'running';

-- name: limit_idle_transactions!
-- A process that was killed may leave its children holding its connection: its locks end with this.
alter database airflow set idle_in_transaction_session_timeout = '30s';

-- name: oldest_open_run^
-- The oldest run that is open and was asked for or begun before a moment.
select run_id, least(start_date, queued_at, run_after, created_at) as since
from dag_run
where state not in ('success', 'failed') and least(start_date, queued_at, run_after, created_at) < :before
order by since limit 1;

-- name: runs_over$
select count(*)::integer as runs from dag_run where state in ('success', 'failed') and start_date < :before;

-- name: has_runs
-- Whether Airflow knows of any run.
select exists (select from dag_run) as some;
