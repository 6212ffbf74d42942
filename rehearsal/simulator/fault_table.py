"""Write ``docs/faults.md`` from the registry of faults.

``python -m rehearsal.simulator.fault_table > docs/faults.md``
"""

from nightshift.vocabulary import Reason, reason_entries
from rehearsal.simulator.faults import FAULTS, Ends, Fault

__all__ = ["fault_page", "mail_line"]

MATRIX = "tests/faults/frames/test_fault_matrix.py"
CLASSES = "tests/faults/frames/test_fault_classes.py"
IN_MAKE_TEST = (
    "flipped_bit", "header_negative_exposure", "rice_bomb", "duplicate", "missing", "unlisted", "manifest_mismatch",
    "name_with_metacharacters", "link_out_of_inbox", "late_after_closing", "closed_shutter", "satellite_trails",
    "warm_darks",
)  # fmt: skip
"""One fault or two of each class: these are injected in every `make test`, the others in `make test-faults`."""

_HEAD = """# What goes wrong in a night, and what it leads to

The simulator lets things go wrong on request:

    make night FAULTS=all                                   # a night with every one of them
    nightshift night-run --faults truncated,clouds          # some of them
    make night SURVEY=network FAULTS=north_wide/clouds      # of several instruments: whose, and which
    nightshift simulate --output night --fault late --fault trailed:20251121093
    nightshift play night --late                            # by hand: what comes after the night has closed

After the colon stands a part of the name of the file that is to be hit; without it the seed chooses, so that no
file is hit twice. What was done is in the night's truth, `truth/faults.json`. `make night` compares it with the
ledger at the end and fails where a fault did not end as this table says. A night with any of these faults goes on
and closes.

`nightshift explain <file>` tells the whole story of any of them. The last column names the tests that inject the
fault: all of them together `{matrix}` (`make test-faults`), one or two of each
class `{classes}` too (`make test`).

A person may overrule what was found: `nightshift accept <file or unit> --reason ... --operator ...`,
`nightshift reject`, or the form `dispose_frame` on Airflow's page. A quarantined file can be accepted where its
reason is one of {acceptable}: it is
whole then, and says what it is. What is truncated, empty, unreadable, too large, of another shape or no regular file
cannot be, nor can a second file under a name that is taken: ask the mountain to send it again. A file with the reason
`exposure_id_repeats` can be accepted once the settings give its exposure another id; no check of it is overruled.
So can one with the reason `internal_error`, over which the program stumbled, once that is mended.

This page is made from the registry by `python -m rehearsal.simulator.fault_table > docs/faults.md`.

| fault | what happens | reason | where it ends | test |
|---|---|---|---|---|
"""

_MAIL = """
## What the mail says of it

In the section of the morning's report that is named here the sentence stands beside the file, exposure or frame.

| reason | where it ends | section | sentence |
|---|---|---|---|
"""

_SECTIONS = {
    Ends.QUARANTINED: "Files out of the ordinary",
    Ends.CONFLICTING: "Files out of the ordinary",
    Ends.DUPLICATE: "Files out of the ordinary",
    Ends.MISSING: "Files out of the ordinary",
    Ends.NOTED: "Files out of the ordinary",
    Ends.REJECTED: "Units that were not processed",
    Ends.FLAGGED: "Units processed with a flag",
    Ends.KEPT_OUT: "Calibration frames kept out of the masters",
}
_SAME = "The same content was here already."


def mail_line(fault: Fault) -> tuple[str, str]:
    """Return the section of the mail that names a fault's file or frame, and the sentence that stands there.

    Both are empty for what leaves no trace.
    """
    sentences = {entry.code: entry.sentence for entry in reason_entries()}
    sentence = sentences[fault.reason] if fault.reason else _SAME if fault.ends is Ends.DUPLICATE else ""
    return _SECTIONS.get(fault.ends, ""), sentence


def fault_page() -> str:
    """Return the page."""
    from nightshift.workflow.overrides import ACCEPTABLE

    acceptable = ", ".join(f"`{reason}`" for reason in Reason if reason in ACCEPTABLE)
    head = _HEAD.format(classes=CLASSES, matrix=MATRIX, acceptable=acceptable)
    told = dict.fromkeys(_told(fault) for fault in FAULTS.values())  # many faults have one end
    return "".join([head, *(f"{_row(fault)}\n" for fault in FAULTS.values()), _MAIL, *(f"{row}\n" for row in told)])


def _told(fault: Fault) -> str:
    section, sentence = mail_line(fault)
    said = f"{section} | {sentence}" if section else "none | it is as if it had come in time"
    return f"| {_reason(fault)} | {fault.ends} | {said} |"


def _row(fault: Fault) -> str:
    test = "matrix, classes" if fault.name in IN_MAKE_TEST else "matrix"
    return f"| `{fault.name}` | {fault.sentence} | {_reason(fault)} | {fault.ends} | {test} |"


def _reason(fault: Fault) -> str:
    return f"`{fault.reason}`" if fault.reason else "none"


if __name__ == "__main__":
    print(fault_page(), end="")
