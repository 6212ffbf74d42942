"""Airflow's bricks: the job-array group, triggers, the inbox sensor."""
