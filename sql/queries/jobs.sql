-- Jobs, their arrays, and the attempts at each unit.

-- name: put_job!
-- The night is that of its newest work: names of files that come again each night are one job.
insert into jobs (job_key, kind, subject, campaign, site, night)
values (:job_key, :kind, :subject, :campaign, :site, :night)
on conflict (job_key) do update set site = excluded.site, night = excluded.night
where (jobs.site, jobs.night) <> (excluded.site, excluded.night);

-- name: attempts_of_job
-- With whether a person has accepted the unit or its frame since, or a master came that it lacked: then what was before
-- says nothing any more.
-- row: PastAttempt
select a.unit_key, a.attempt, a.state, a.reason, a.error_class,
    exists (select from overrides o
        where o.subject in (a.unit_key, substring(a.unit_key from '^[^/]+/[^/]+/[^/]+'))
            and o.verdict = 'accept' and o.made_at > a.created_at)
        or exists (select from reduced_without_master w
            where w.unit_key = a.unit_key and w.again_since > a.created_at) as overruled
from attempts a where a.job_key = :job_key and a.night = any (nights_of_job(:job_key))
order by a.unit_key, a.attempt;

-- name: next_submission$
select (coalesce(max(submission), 0) + 1)::integer as submission from submissions where job_key = :job_key;

-- name: put_submission!
insert into submissions (job_key, submission, night, name, runner, airflow_run, airflow_try, job_file, tasks)
select job_key, :submission, night, :array_name, :runner, :airflow_run, :airflow_try, :job_file, :tasks
from jobs where job_key = :job_key;

-- name: put_attempt!
insert into attempts (job_key, unit_key, attempt, submission, night, task_index, token, folder)
select job_key, :unit_key, :attempt, submission, night, :task_index, :token, :folder
from submissions where job_key = :job_key and submission = :submission;

-- name: open_submissions
-- row: OpenSubmission
select job_key, submission, name, runner, job_file, tasks, runner_job_id, airflow_run, airflow_try
from submissions where job_key = :job_key and ended_at is null order by submission;

-- name: own_submission!
-- The run that asked last, and its try, own the array from now on.
update submissions set airflow_run = :airflow_run, airflow_try = :airflow_try
where job_key = :job_key and submission = :submission;

-- name: submission_by_name^
-- row: Submission
-- nullable: ended_s
select s.job_key, s.submission, s.name, s.tasks, s.airflow_run, s.airflow_try, s.ended_at, s.runner,
    extract(epoch from now() - s.ended_at)::double precision as ended_s, j.kind, j.subject, j.campaign
from submissions s join jobs j using (job_key)
where s.name = :array_name;

-- name: arrays_of_run
-- row: ArrayOfRun
select s.name, s.tasks, s.airflow_try, s.intended_at
from submissions s join runs r on r.run_id = s.airflow_run
where r.dag_id = :dag_id and r.run_id = :run_id order by s.submission;

-- name: array_of_dag^
-- row: ArrayOfWorkflow
select s.name, s.tasks from submissions s join runs r on r.run_id = s.airflow_run
where r.dag_id = :dag_id and s.name = :array_name;

-- name: owned_up_to
-- The array of that name and what is open of the ones before it, as far as that run owns them.
-- row: OwnedArray
select s.job_key, s.name, s.ended_at
from submissions s join submissions own using (job_key)
where own.name = :array_name and s.submission <= own.submission and s.airflow_run = :airflow_run
    and (s.ended_at is null or s.name = own.name)
order by s.submission;

-- name: all_open_submissions
-- row: OpenArray
select s.job_key, s.submission, s.name, s.airflow_run, s.runner_job_id
from submissions s join jobs j using (job_key)
where j.site = :site and s.ended_at is null and s.intended_at < now() - make_interval(secs => :settled_s)
order by s.name;

-- name: supersede_attempts
-- Take back what is open of an array; a late result of it is not believed.
-- row: SupersededAttempt
update attempts set state = 'superseded', reason = 'cancelled', detail = :detail, ended_at = now()
where job_key = :job_key and submission = :submission and night = any (nights_of_job(:job_key))
    and state in ('intended', 'submitted')
returning unit_key;

-- name: was_taken_back$
-- Whether the last word on some unit of a job is that it was stopped or superseded.
select exists (select from attempts a
    where a.job_key = :job_key and a.night = any (nights_of_job(:job_key)) and a.reason = 'cancelled'
        and not exists (select from attempts b where b.job_key = a.job_key and b.unit_key = a.unit_key
            and b.night = any (nights_of_job(:job_key)) and b.attempt > a.attempt)) as taken_back;

-- name: earlier_failures^
-- How often the units of a submission ran out of memory or time before.
-- row: EarlierFailures
select coalesce(max(f.memory), 0)::integer as memory, coalesce(max(f.time), 0)::integer as time
from (
    select count(*) filter (where b.reason = 'out_of_memory') as memory,
        count(*) filter (where b.reason = 'timeout') as time
    from attempts a join attempts b using (job_key, unit_key)
    where a.job_key = :job_key and a.submission = :submission and b.attempt < a.attempt
        and a.night = any (nights_of_job(:job_key)) and b.night = any (nights_of_job(:job_key))
    group by a.unit_key) f;

-- name: set_submitted!
update submissions set runner_job_id = :runner_job_id, submitted_at = coalesce(submitted_at, now())
where job_key = :job_key and submission = :submission;

-- name: set_attempts_submitted!
update attempts set state = 'submitted'
where job_key = :job_key and submission = :submission and night = any (nights_of_job(:job_key))
    and state = 'intended';

-- name: open_attempts
-- What is not known to have ended, with the reasons why earlier attempts of the unit did not succeed, since a master
-- came that it lacked.
-- row: OpenAttempt
select a.job_key, a.unit_key, a.attempt, a.submission, a.task_index, a.token, a.folder, a.state,
    s.name, s.runner, s.job_file,
    steady_age_s(coalesce(s.submitted_at, s.intended_at)) as age_s,
    array(select coalesce(b.reason, '') from attempts b where b.job_key = a.job_key and b.unit_key = a.unit_key
        and b.night = any (nights_of_job(:job_key)) and b.attempt < a.attempt and b.state <> 'succeeded'
        and not exists (select from reduced_without_master w
            where w.unit_key = b.unit_key and w.again_since > b.created_at))
        as earlier_reasons
from attempts a join submissions s using (job_key, submission)
where a.job_key = :job_key and a.night = any (nights_of_job(:job_key)) and a.state in ('intended', 'submitted')
order by a.unit_key, a.attempt;

-- name: lock_attempt^
-- row: LockedAttempt
select token from attempts
where token = :token and night = any (nights_of_job(:job_key)) and state in ('intended', 'submitted') for update;

-- name: end_attempt!
update attempts set state = :state::attempt_state, reason = :reason, error_class = :error_class::error_class,
    detail = :detail, restart_count = :restart_count, host = :host, peak_memory_mb = :peak_memory_mb,
    seconds = :seconds, ended_at = now()
where token = :token and night = any (nights_of_job(:job_key));

-- name: end_submissions!
update submissions s set ended_at = now()
where s.job_key = :job_key and s.ended_at is null
    and not exists (select from attempts a where a.job_key = s.job_key and a.submission = s.submission
        and a.night = any (nights_of_job(:job_key)) and a.state in ('intended', 'submitted'));

-- name: end_job!
update jobs set ended_at = now() where job_key = :job_key and ended_at is null
    and not exists (select from submissions s where s.job_key = jobs.job_key and s.ended_at is null);

-- name: stragglers
-- Jobs with an open array although no run of theirs is under way, or beyond their deadline.
-- row: Straggler
select j.job_key, j.kind, j.subject, j.campaign,
    steady_age_s(min(coalesce(s.submitted_at, s.intended_at))) as age_s
from jobs j join submissions s using (job_key)
where j.site = :site and s.ended_at is null
group by j.job_key
having not exists (select from runs r where r.subject = j.job_key and r.ended_at is null)
    or steady_age_s(min(coalesce(s.submitted_at, s.intended_at))) > :deadline_s
order by j.job_key;

-- name: open_jobs_of_night
-- row: OpenJob
select distinct j.job_key, j.kind, j.subject, j.campaign
from jobs j join submissions s using (job_key)
where j.site = :site and j.night = :night and s.ended_at is null order by j.job_key;

-- name: night_of_job$
select night from jobs where job_key = :job_key;

-- name: campaign_number$
select number from campaigns where campaign = :campaign;
