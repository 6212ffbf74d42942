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

_COPIES = (
    EventKind("archive_verified_in_time", "Every archived file and its copy were read within the days that are set."),
    EventKind(
        "archive_not_verified_in_time",
        "Archived files were not read again within the days that the settings give.",
        "Raise copies.verify_gb_a_day or copies.verify_within_days.",
        "nightshift archive verify --dry-run",
        ("archive_verified_in_time",),
    ),
    EventKind("copies_go_on", "Second copies are made again."),
    EventKind(
        "copies_wait",
        "Second copies cannot be made; they follow as soon as that is mended.",
        "Mend the place of the copies as the text says.",
        "nightshift archive copies --list",
        ("copies_go_on",),
    ),
    EventKind("file_damaged", "Files of the archive or their copies differ from their checksums, or are gone."),
    EventKind(
        "file_lost",
        "A file is damaged in both of its places, and nothing was touched.",
        "Restore the content that the text names from elsewhere to its path in the archive.",
        "nightshift archive mend",
        ("file_mended",),
    ),
    EventKind("file_mended", "What was damaged in one place was mended from the other."),
)

_NIGHT_END = (
    EventKind(
        "archive_fault",
        "A file of the night's archive is missing or differs from what was archived.",
        "Restore the file, then archive and verify the night again.",
        "nightshift archive night <night>",
        ended_by=("archive_good",),
    ),
    EventKind("archive_good", "The night's archive was read back, and what was missing or differed is there again."),
    EventKind(
        "archive_set_aside",
        "A file lay in a night's bag and the ledger does not know it; it was moved out of the bag.",
        "See whether somebody misses it; remove it otherwise.",
        "nightshift archive night <night>",
    ),
    EventKind(
        "coverage_failed",
        "What was made after the night is not: maps of coverage, or the history of candidates.",
        "Read the text, then have it made again; the night closes without it.",
        "nightshift coverage --again --night <night>",
        ended_by=("coverage_made",),
    ),
    EventKind("coverage_made", "Maps of coverage and the history of candidates are made after all."),
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

_MESSAGES = (
    EventKind(
        "channel_failing",
        "A channel takes no messages; the next one of whoever is to hear is used.",
        "See whether its service answers and its address is right.",
        "nightshift messages test <channel>",
        ended_by=("channel_works",),
    ),
    EventKind("channel_works", "A channel takes messages again."),
    EventKind(
        "ledger_silent",
        "The ledger did not answer for a while; people were told without it.",
        "See whether PostgreSQL runs and its disk has room.",
        "nightshift status",
    ),
    EventKind("message_acknowledged", "A person said that somebody looks after it."),
    EventKind(
        "message_refused",
        "A channel took a message, but not for everybody who was to hear it.",
        "Correct the address in messages.channels, or in night.mail_to.",
    ),
    EventKind("part_back", "A part that was dead lives again."),
    EventKind(
        "part_dead",
        "A part without which no night goes on has been dead for minutes.",
        "See which parts run, and the end of the dead one's log.",
        "nightshift status",
        ended_by=("part_back",),
    ),
)

_AIRFLOW = (
    EventKind(
        "task_failed",
        "A task of a workflow failed, and its last try too.",
        "Read the task's log on Airflow's page; clear the task when its cause is mended.",
        "nightshift status",
    ),
)

_HOUSEKEEPING = (
    EventKind("cleaned_up", "What may leave the depot by the settings of retention was deleted there."),
    EventKind(
        "deletion_refused",
        "A file that may leave the depot is not what the ledger says of it, and stays.",
        "Look at the file that the text names, and at who changed it.",
        "nightshift clean-up --dry-run",
    ),
    EventKind("disk_has_room", "A disk that was filling up has room again."),
    EventKind(
        "disk_fills",
        "A disk is nearly full, or will be in a few days at the rate of the last nights.",
        "Look which disk it is and what may leave it.",
        "nightshift disks",
        ended_by=("disk_has_room",),
    ),
    EventKind(
        "month_may_leave",
        "A month is older than the settings have it stay in the ledger.",
        "Write it to files and take it out.",
        "nightshift ledger detach <month> --folder <folder> --dry-run",
    ),
    EventKind("files_restored", "Files of a night that had left the depot were brought back from the archive."),
    EventKind(
        "nothing_copied",
        "Files are old enough to leave the depot, and stay: the survey has no second copy of them.",
        "Give the survey a place for second copies, or a larger disk.",
        "nightshift clean-up --dry-run",
    ),
)

_OPEN_NIGHT = (
    EventKind(
        "astrometry_fails",
        "The stars of many of the last images do not match the catalogue where the telescope says it pointed.",
        "Look at the pointing, the clock of the camera and the field's catalogue.",
        "nightshift night <night>",
        ended_by=("astrometry_works",),
    ),
    EventKind("astrometry_works", "The stars match the catalogue again."),
    EventKind(
        "camera_writes_thousands",
        "Frames hold little but the value 1000.",
        "Restart the camera.",
        ended_by=("camera_writes_again",),
    ),
    EventKind("camera_writes_again", "The camera writes images again."),
    EventKind("clouds", "The zero point lies far below that of the nights before.", ended_by=("clouds_gone",)),
    EventKind("clouds_gone", "The zero point is as usual again."),
    EventKind(
        "detector_silent",
        "Of one detector no frame comes, while others send theirs.",
        "Look at the detector's controller; if it stays off, say so in the calendar.",
        "nightshift calendar add out_of_service --help",
        ended_by=("detector_heard",),
    ),
    EventKind("detector_heard", "Frames of the detector come again."),
    EventKind(
        "images_wide",
        "Stars are far wider than in the nights before.",
        "Look at focus and guiding.",
        ended_by=("images_sharp",),
    ),
    EventKind("images_sharp", "Stars are as wide as usual again."),
    EventKind(
        "no_files",
        "No file has come for long while it is dark.",
        "Ask whether the telescope observes; then look at what brings the files. Announce downtime in the calendar.",
        "nightshift calendar add downtime --help",
        ended_by=("files_come",),
    ),
    EventKind("files_come", "Files come again."),
    EventKind(
        "sky_bright",
        "The sky is far brighter than in the nights before.",
        "Look whether a light is on in the dome.",
        ended_by=("sky_dark",),
    ),
    EventKind("sky_dark", "The sky is as dark as usual again."),
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

_BACKUP = (
    EventKind(
        "backup_failed",
        "The ledger was not backed up; earlier backups stay.",
        "Mend what the text says, then take a backup.",
        "nightshift backup now",
        ended_by=("backup_works_again",),
    ),
    EventKind("backup_works_again", "The ledger is backed up again."),
    EventKind("ledger_reconciled", "A restored ledger has taken in again what came after its backup."),
    EventKind(
        "ledger_restored",
        "The ledger was restored from a backup.",
        "Reconcile it, then say again what people had said since the backup: accepted, rejected, approved.",
        "nightshift backup reconcile",
        ended_by=("ledger_reconciled",),
    ),
    EventKind(
        "published_before_restore",
        "Alerts that were published before the ledger was restored would have another content now; they stay.",
    ),
    EventKind(
        "rehearsal_failed",
        "A backup of the ledger could not be restored in a rehearsal, or was not what had been dumped.",
        "Mend what the text says, take a new backup and rehearse its restore.",
        "nightshift backup rehearse",
        ended_by=("rehearsal_works_again",),
    ),
    EventKind("rehearsal_works_again", "A restore of the ledger was rehearsed and ended well again."),
)

_PARTS = (
    _INGEST, _HEALTH, _SETTINGS, _CALIBRATIONS, _WORK, _ALERTS, _AFTERNOON, _OPEN_NIGHT, _NIGHT_END, _COPIES, _BACKUP,
    _HOUSEKEEPING, _MESSAGES, _AIRFLOW, _EMBEDDED_BROKER,
)  # fmt: skip
_BY_NAME = {kind.name: kind for part in _PARTS for kind in part}


def all_event_kinds() -> tuple[EventKind, ...]:
    """Return every kind, in the order of the parts that write them."""
    return tuple(_BY_NAME.values())


def event_kind(name: str) -> EventKind | None:
    """Return what a kind means; None for one that is not of this code, such as an older one in the ledger."""
    return _BY_NAME.get(name)


def kinds_ended_by(name: str) -> tuple[str, ...]:
    """Return the kinds whose state an event of this kind ends; empty for most."""
    return tuple(kind.name for kind in _BY_NAME.values() if name in kind.ended_by)
