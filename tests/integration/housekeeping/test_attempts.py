"""Folders of jobs leave after their night has closed; those of failed ones later."""

from nightshift.housekeeping.clean_up import clean_up


def job(context, nights, night, name, *, state="succeeded"):
    folder = f"work/2026/{night[5:7]}{night[8:]}/{name}"
    place = context.depot.root / folder / "unit" / "a1"
    place.mkdir(parents=True)
    (place / "result.json").write_text("{}")
    (context.depot.root / folder / "job_1.json").write_text("{}")
    nights.sql(
        "insert into jobs (job_key, kind, subject, site, night) values (%s, 'science', 'x', 'demo', %s)", name, night
    )
    nights.sql(
        "insert into submissions (job_key, submission, name, runner, job_file, tasks, night)"
        " values (%s, 1, %s, 'fake', %s, 1, %s)", name, name, f"{folder}/job_1.json", night,
    )  # fmt: skip
    reason = {"succeeded": None}.get(state, "timeout")
    nights.sql(
        "insert into attempts (job_key, unit_key, attempt, submission, night, task_index, token, folder, state,"
        " reason, error_class, ended_at) values (%s, 'u', 1, 1, %s, 0, %s, %s, %s, %s, %s, now())",
        name, night, name, f"{folder}/unit/a1", state, reason, reason and "retry",
    )  # fmt: skip
    return context.depot.root / folder


def test_folders_of_jobs_leave_after_their_nights(context, nights):
    nights(0, 5)
    good, bad, young = (
        job(context, nights, "2026-01-01", "good"),
        job(context, nights, "2026-01-01", "bad", state="failed"),
        job(context, nights, "2026-01-05", "young"),
    )
    clean_up(context, operator="mira")
    assert not good.exists() and bad.exists() and young.exists()
    (row,) = nights.sql("select * from deletions where kind = 'attempts'")
    assert row["rule"] == "retention.attempts_nights = 3" and row["deleted_at"] is not None
    nights(6, 31)
    clean_up(context, operator="mira")
    assert not bad.exists() and not young.exists()
    assert not (context.depot.root / "work" / "2026").exists()


def test_a_night_that_is_not_closed_keeps_them(context, nights):
    nights(0, 5)
    folder = job(context, nights, "2026-01-01", "good")
    nights.sql("update nights set changed = true where night = '2026-01-01'")
    clean_up(context, operator="mira")
    assert folder.exists()


def test_what_was_cleaned_is_not_looked_at_again_and_new_work_is(context, nights):
    nights(0, 5)
    first = job(context, nights, "2026-01-01", "good")
    clean_up(context, operator="mira")
    clean_up(context, operator="mira")
    second = job(context, nights, "2026-01-01", "again")
    nights.sql("update nights set closed_at = now() where night = '2026-01-01'")  # it was opened and closed again
    clean_up(context, operator="mira")
    assert not first.exists() and not second.exists()
