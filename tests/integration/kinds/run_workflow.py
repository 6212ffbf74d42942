"""Runs one workflow as ``dag.test`` does, in a process of its own, and prints the states of its tasks as JSON.

Airflow takes its settings once, when it is first imported.
"""

import json
import sys

from airflow.utils.db import initdb

dag_id, conf = sys.argv[1], json.loads(sys.argv[2])
initdb()

from airflow.dag_processing.dagbag import DagBag  # noqa: E402  its tables are there now

bag = DagBag(collect_dags=True)
assert not bag.import_errors, bag.import_errors
run = bag.dags[dag_id].test(run_conf=conf)
print(json.dumps({instance.task_id: str(instance.state) for instance in run.get_task_instances()}))
