"""## The end of a night

Begins with the mountain's manifest, or by the clock an hour after sunrise while the survey is live. Late data are
taken in for a while, references that are due are built and differenced against by their own workflows, and whatever
still runs when the night's deadline has passed is declared failed. Then the night is accounted for, mapped on the
sky, archived, read back, copied to a second place (what is not copied within a minute follows later), reported and
closed, whatever became of the steps before; and a backup of the ledger is asked for. Where a night is refused its
end, as one whose month has left the ledger, nothing of that is done: the task `begin` says why.
"""

from airflow.sdk import DAG, TriggerRule, task

from nightshift.vocabulary import EventLevel
from operators import steps
from operators.array_wait import WaitForNight, WaitForRun
from operators.defaults import BEFORE_ANY_NIGHT, task_defaults
from operators.timetables import at_the_end_of_live_nights

NIGHT = "{{ ti.xcom_pull(task_ids='begin') }}"

with DAG(
    "end_of_night",
    schedule=at_the_end_of_live_nights(),
    start_date=BEFORE_ANY_NIGHT,
    catchup=False,
    max_active_runs=2,
    default_args={
        **task_defaults(when_failed=EventLevel.PAGE),
        "priority_weight": 60,
        "trigger_rule": TriggerRule.NONE_SKIPPED,
    },
    tags=["night"],
    doc_md=__doc__,
):

    @task
    def begin(dag_run=None):
        """Mark the night as closing."""
        return steps.begin_night_end(dag_run)

    settle = task(steps.settle_night)
    request_moving_objects = task(task_id="request_moving_objects")(steps.request_run_of_night)
    account = task(steps.account_for_night)
    map_coverage = task(steps.map_coverage)
    archive = task(steps.archive_night)
    verify = task(steps.verify_archive)
    copy = task(steps.copy_night)
    mail = task(steps.mail_report)
    close = task(steps.close_night)
    request_backup = task(steps.request_backup)

    (
        begin()
        >> WaitForNight(task_id="wait_for_late_data", trigger_rule=TriggerRule.ALL_SUCCESS)
        >> settle(NIGHT)
        >> request_moving_objects("moving_objects", NIGHT)
        >> WaitForRun(
            task_id="wait_for_moving_objects", workflow="moving_objects", trigger_rule=TriggerRule.ALL_SUCCESS
        )
        >> account(NIGHT)
        >> map_coverage(NIGHT)
        >> archive(NIGHT)
        >> verify(NIGHT)
        >> copy(NIGHT)
        >> mail(NIGHT)
        >> close(NIGHT)
        >> request_backup(NIGHT)
    )
