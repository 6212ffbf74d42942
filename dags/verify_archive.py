"""## Old nights are read again

Once a day, at noon of the site: the files of the archive and their second copies that were read longest ago are read
again and compared with their checksums, so many that each is read within the survey's `copies.verify_within_days`.
What is damaged is named and mended from the other place. By hand: `nightshift archive verify`.
"""

from airflow.sdk import DAG, task

from operators import steps
from operators.defaults import BEFORE_ANY_NIGHT, task_defaults
from operators.timetables import at_noon_of_live_days

with DAG(
    "verify_archive",
    schedule=at_noon_of_live_days(),
    start_date=BEFORE_ANY_NIGHT,
    catchup=False,
    max_active_runs=1,
    default_args={**task_defaults(), "priority_weight": 1},
    tags=["housekeeping"],
    doc_md=__doc__,
):
    task(steps.verify_old_nights)()
