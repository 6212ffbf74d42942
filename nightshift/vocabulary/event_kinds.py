"""The kinds of events that programs write into the ledger: one entry a kind, and what a person does about it.

``ledger.event(level, kind, text, subject=...)`` is how a program says something. How loud it is (`EventLevel`) is
said with the call, since one kind may be a warning today and call somebody tomorrow; what the kind means, whether
somebody must act and what to do first, and which kind says that it is over, is said here. The messages to people, the
morning mail, the metrics and the pages read it.

A trouble that begins and ends is two kinds: the first names the second in `EventKind.ended_by`. An event of the
second kind with the same subject ends what an event of the first began; where the first was said of no subject, any
of the second ends it.

A new kind is a new entry in the part that writes it. ``tests/unit/test_event_kinds.py`` holds that every kind that
is written is here, and that every kind here is written.
"""

from dataclasses import dataclass

__all__ = ["EventKind", "all_event_kinds", "event_kind", "kinds_ended_by"]


@dataclass(frozen=True)
class EventKind:
    """What one kind of event means.

    Parameters
    ----------
    name : str
        As it is stored.
    sentence : str
        What happened.
    first_step : str
        What a person does first; empty where nobody must act.
    command : str
        The command line that goes with the first step, with ``<...>`` for what the event's subject or text names.
    ended_by : tuple of str
        The kinds that say that it is over; empty where it is no state that lasts.
    """

    name: str
    sentence: str
    first_step: str = ""
    command: str = ""
    ended_by: tuple[str, ...] = ()

    @property
    def needs_human(self) -> bool:
        """Whether somebody must act."""
        return bool(self.first_step)


_INGEST = (
    EventKind(
        "checksum_mismatch",
        "A file differs from the checksum that came after it.",
        "Ask the mountain to send the file again.",
        "nightshift explain <file>",
    ),
    EventKind(
        "exposure_id_repeats",
        "A camera used an exposure's number again in one night: no later frame of it is taken in.",
        "Correct how the camera's settings read the exposure's number, then accept the files in quarantine.",
        "nightshift accept <file>",
    ),
    EventKind("file_conflicting", "A file came again under the same name with other content and was set aside."),
    EventKind("file_duplicate", "A file came again with the same content and was left out."),
    EventKind(
        "file_not_understood",
        "The program itself failed on a file, which is in quarantine; the event holds the traceback.",
        "Report the traceback; accept the file when the program is mended.",
        "nightshift accept <file>",
    ),
    EventKind("file_quarantined", "A file could not be used and was set aside, with its reason."),
    EventKind(
        "file_stuck",
        "A file cannot be taken out of the inbox.",
        "Look at the file's owner and permissions in the inbox.",
    ),
    EventKind(
        "file_waits_for_settings",
        "A file waits in the inbox because the survey's settings do not load.",
        "Correct the settings that the text names; the file is taken in by itself then.",
        "nightshift settings show",
    ),
    EventKind("manifest_corrected", "A part of the manifest came again and takes the place of the earlier one."),
    EventKind(
        "manifest_mismatch",
        "A registered file is not what the manifest says was sent; what was made from it is rejected.",
        "Ask the mountain to send the file again.",
        "nightshift explain <file>",
    ),
    EventKind("manifest_received", "A part of the night's manifest came."),
    EventKind(
        "second_copy_failed",
        "A raw frame has no second copy yet.",
        "Look whether the place of the second copy can be written.",
    ),
)

_HEALTH = (
    EventKind(
        "clock_stepped",
        "The machine's clock was set while the night ran.",
        "See that the machine keeps its time.",
        "timedatectl status",
    ),
    EventKind("ingest_goes_on", "Ingest takes files in again."),
    EventKind(
        "ingest_stuck",
        "Files lie in the inbox and none was taken in for minutes.",
        "Read the log of the newest run of watch_inbox.",
        "nightshift status",
        ended_by=("ingest_goes_on",),
    ),
    EventKind("storage_back", "A folder that the night waited for can be used again."),
    EventKind(
        "storage_unavailable",
        "The inbox, the depot or the archive is full, read-only or not mounted; the night waits.",
        "Mount it, make it writable or free some space, as the text says.",
        "df -h",
        ended_by=("storage_back",),
    ),
    EventKind("unwatched", "Nobody watched the inbox for a while; no deadline counts that."),
)

_SETTINGS = (
    EventKind(
        "code_changed",
        "Other code runs than the night was opened with.",
        "Nothing, where the update was meant; else bring back the commit that the text names.",
        "nightshift status",
    ),
    EventKind("settings_adopted", "A person had the night use settings that changed since it was opened."),
    EventKind(
        "settings_changed",
        "The survey's settings changed since the night was opened, or do not load any more.",
        "Have the night use them, or leave them for the next night; correct what does not load.",
        "nightshift settings adopt --site <site> --night <night> --reason ...",
    ),
)

_CALIBRATIONS = (
    EventKind(
        "gain_disagrees",
        "The gain that a master's flats show is not the settings' gain.",
        "Compare with the amplifier's gain in the camera's settings.",
        "nightshift inspect <master>",
    ),
    EventKind(
        "header_impossible",
        "The last good master's header says an impossible gain; the new one was compared with none.",
        "Look at the last good master.",
        "nightshift inspect <master>",
    ),
    EventKind(
        "master_rejected",
        "A master was not made or is unlike what it should be; the last good one serves.",
        "Look at the frames of the master.",
        "nightshift inspect <master>",
    ),
    EventKind("not_reduced_again", "A unit could not be reduced again with its own master and stands as before."),
    EventKind(
        "read_noise_disagrees",
        "The read noise that a master's frames show is not the settings' read noise.",
        "Compare with the amplifier's read noise in the camera's settings.",
        "nightshift inspect <master>",
    ),
    EventKind("reduced_again", "A unit is reduced again with a master that serves now."),
    EventKind("reference_asked_for", "A person asked for references to be made."),
    EventKind(
        "unit_held",
        "A unit waits for a master that does not serve yet.",
        "See why the master is missing, and accept or make one.",
        "nightshift explain <unit>",
    ),
    EventKind(
        "unreadable_file",
        "The last good master does not read; the new one was compared with none.",
        "Bring the file back from the archive.",
        "nightshift explain <master>",
    ),
)

_WORK = (
    EventKind("array_not_gone", "An array was cancelled and is not known to be gone; it is cancelled again."),
    EventKind(
        "array_not_reaped",
        "An array that nobody wants any more cannot be ended.",
        "Cancel it at the runner, by its name.",
    ),
    EventKind(
        "array_refused",
        "The runner refuses an array of jobs; its units wait.",
        "Do what the runner's text says: an account, a partition, a limit.",
        "nightshift status",
    ),
    EventKind("array_stopped", "An array was stopped by a person; its units failed."),
    EventKind("array_superseded", "An array's work is begun anew."),
    EventKind(
        "array_unknown",
        "The runner and the ledger do not agree on an array; nothing is known of its units.",
        "Mend what the runner keeps of it, as the text says.",
        "nightshift status",
    ),
    EventKind("attempt_failed", "An attempt at a unit failed and is made again."),
    EventKind(
        "job_not_collected",
        "The results of a job cannot be taken in.",
        "Read the text; the job is tried again with each sweep.",
        "nightshift explain <job>",
    ),
    EventKind("lost_run_reaped", "A run is gone from Airflow; its work is due again."),
    EventKind(
        "node_code_differs",
        "Nodes run other code than the job files were written by.",
        "Bring the nodes' installation to the same commit.",
    ),
    EventKind("operator_accepts", "A person accepted something by hand."),
    EventKind("operator_rejects", "A person rejected something by hand."),
    EventKind("orphan_cancelled", "A live array that no open submission wants is cancelled."),
    EventKind("result_not_believed", "A result was set aside: it is not of the attempt that is expected."),
    EventKind("stopped_run_reaped", "The array of a run that a person stopped is ended."),
    EventKind(
        "unit_failed",
        "The last attempt at a unit failed.",
        "See its reason; reduce it again when that is mended.",
        "nightshift explain <unit>",
    ),
)

_ALERTS = (
    EventKind("alerts_not_released", "The alerts of a field cannot be made.", "Do what the text says."),
    EventKind(
        "alerts_not_sent",
        "The broker did not take some alerts; they stay queued and are sent again.",
        "See whether the broker answers.",
        "nightshift alerts post",
    ),
    EventKind("alerts_released", "The alerts of an exposure may be sent."),
    EventKind(
        "alerts_withheld",
        "More alerts than an exposure can have are kept back.",
        "Look at the exposure, then accept or reject it.",
        "nightshift inspect <unit>",
    ),
    EventKind(
        "packet_damaged",
        "The packet of an alert is not as it was written; it was not sent.",
        "Bring its tar back from the archive.",
        "nightshift alerts show <candid>",
    ),
    EventKind(
        "released_out_of_order", "Alerts were released although an earlier exposure of the field has not ended."
    ),
)

_NIGHT_END = (
    EventKind(
        "archive_fault",
        "A file of the night's archive is missing or differs from what was archived.",
        "Restore the file, then archive and verify the night again.",
        "nightshift archive <night>",
    ),
    EventKind(
        "mail_not_sent",
        "The night's mail was not sent.",
        "See whether the mail server answers; the report lies in the depot.",
        "nightshift mail <night>",
        ended_by=("mail_sent",),
    ),
    EventKind(
        "mail_refused",
        "The mail server refused some who should get the night's mail.",
        "Correct their addresses in night.mail_to.",
    ),
    EventKind("mail_sent", "The night's mail was sent."),
    EventKind("night_closed", "The night is accounted for, archived and closed."),
    EventKind("night_closing", "The night begins to close."),
    EventKind(
        "night_overdue",
        "A night should have closed and did not.",
        "Look at the end_of_night workflow, or close the night by hand.",
        "nightshift night <night>",
        ended_by=("night_closed",),
    ),
    EventKind(
        "stragglers_failed",
        "Units had not ended when the night's deadline passed and are declared failed.",
        "See whether the runner still works.",
        "nightshift status",
    ),
    EventKind(
        "unbalanced",
        "The night does not close: a sum of its accounts does not hold, or the archive is not whole.",
        "Look at the night's table for what is missing.",
        "nightshift night <night>",
        ended_by=("night_closed",),
    ),
)

_AFTERNOON = (
    EventKind("calendar_add", "A person entered a detector out of service, engineering time or downtime."),
    EventKind("calendar_end", "A person ended what the calendar held."),
    EventKind(
        "frames_despite_calendar",
        "Frames come of a detector or at a time for which the calendar expects none.",
        "End the entry that the text names, where the calendar is wrong.",
        "nightshift calendar end <entry> --reason ...",
    ),
    EventKind(
        "preflight_red",
        "A check of the afternoon found what keeps the night from running.",
        "Do what the text says, then check again.",
        "nightshift preflight",
        ended_by=("preflight_clear",),
    ),
    EventKind("preflight_clear", "A check of the afternoon that was red is so no more."),
)

_EMBEDDED_BROKER = (
    EventKind("alerts_sent_again", "The embedded broker was started anew; what it forgot is sent again."),
    EventKind(
        "alerts_sent_unread",
        "The night's own consumer takes nothing, and alerts are sent all the same.",
        "See the consumer's log; if it hangs, kill it: another is started.",
    ),
    EventKind(
        "consumer_behind", "Alerts wait for the night's own consumer to take some.", ended_by=("consumer_took",)
    ),
    EventKind("consumer_took", "The night's own consumer took alerts; the next are sent."),
)

_BY_NAME = {
    kind.name: kind
    for part in (_INGEST, _HEALTH, _SETTINGS, _CALIBRATIONS, _WORK, _ALERTS, _AFTERNOON, _NIGHT_END, _EMBEDDED_BROKER)
    for kind in part
}


def all_event_kinds() -> tuple[EventKind, ...]:
    """Return every kind, in the order of the parts that write them."""
    return tuple(_BY_NAME.values())


def event_kind(name: str) -> EventKind | None:
    """Return what a kind means; None for one that is not of this code, such as an older one in the ledger."""
    return _BY_NAME.get(name)


def kinds_ended_by(name: str) -> tuple[str, ...]:
    """Return the kinds whose state an event of this kind ends; empty for most."""
    return tuple(kind.name for kind in _BY_NAME.values() if name in kind.ended_by)
