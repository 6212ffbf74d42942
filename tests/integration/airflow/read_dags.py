"""Reads every DAG as the scheduler does and prints what it found, as JSON.

A process of its own: Airflow takes its settings once, when it is first imported.
"""

import json
import sys

from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

before = set(sys.modules)
bag = DagBag(collect_dags=True)
loaded = sorted(set(sys.modules) - before)


def described(dag) -> dict:
    """Return what the tests look at, after the DAG went through Airflow's own text form."""
    stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    return {
        "tasks": {
            task.task_id: {
                "downstream": sorted(task.downstream_task_ids),
                "retries": task.retries,
                "retry_delay_s": task.retry_delay.total_seconds(),
                "from_trigger": task.start_from_trigger,
                "trigger": (task.start_trigger_args.trigger_cls if task.start_trigger_args else None),
                "priority": task.priority_weight,
                "trigger_rule": str(task.trigger_rule),
            }
            for task in stored.tasks
        },
        "timetable": type(stored.timetable).__name__,
        "max_active_runs": stored.max_active_runs,
        "catchup": stored.catchup,
        "doc": bool(stored.doc_md),
        "params": {name: stored.params.get_param(name).schema for name in stored.params},
    }


print(
    json.dumps(
        {"errors": bag.import_errors, "dags": {d.dag_id: described(d) for d in bag.dags.values()}, "loaded": loaded}
    )
)
