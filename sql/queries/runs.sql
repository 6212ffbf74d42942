-- Workflow runs: what was asked for, and what is under way.

-- name: lock_subject
-- One at a time for one subject; released with the transaction.
select pg_advisory_xact_lock(hashtextextended(:subject, 0));

-- name: runs_of
-- How often each subject was asked for, and whether a run of it is still under way.
-- row: RunsOfSubject
select subject, count(*)::integer as times,
    bool_or(ended_at is null and steady_age_s(requested_at) < :stale_s) as under_way
from runs where subject = any (:subjects::text[]) group by subject;

-- name: put_run!
insert into runs (run_id, dag_id, subject, conf) values (:run_id, :dag_id, :subject, :conf)
on conflict (run_id) do nothing;

-- name: end_runs!
update runs set ended_at = now() where subject = :subject and ended_at is null;

-- name: conf_of_subject^
-- What the newest run of a subject was asked with.
-- row: AskedConf
select conf from runs where subject = :subject order by requested_at desc limit 1;

-- name: resume_run!
update runs set ended_at = null, requested_at = now() where run_id = :run_id and ended_at is not null;

-- name: runs_under_way
-- The runs of a workflow for an instrument that were asked for and have not ended.
-- row: RunUnderWay
select subject, conf from runs
where dag_id = :dag_id and conf ->> 'instrument' = :instrument and ended_at is null
    and steady_age_s(requested_at) < :stale_s
order by requested_at;
