"""The morning's report: written to the depot, and sent once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import jinja2

from nightshift.context import Context
from nightshift.errors import Retry
from nightshift.files import write_whole
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.queries import night_end as night_end_queries
from nightshift.night_end.facts import NightFacts, collect_facts, report_page
from nightshift.night_end.mail import MailServer, compose, message_id, next_message_id, send
from nightshift.night_end.night_rows import night_text
from nightshift.night_end.report_colours import DARK, LIGHT
from nightshift.night_end.report_elements import Need, Picture, anchor_of
from nightshift.night_end.report_pictures import draw_all
from nightshift.night_end.report_sections import figures_of, sections_of
from nightshift.night_end.report_text import plain, text_table, wrapped
from nightshift.vocabulary import EventLevel, UnitState

__all__ = ["Report", "send_report", "write_report"]

KIND = "summary"
AS_TEXT = 1.38  # a picture's bytes in a mail, for each of its own: base64 with line ends
BANDS = CLOSED_BAND, HUMAN_BAND, OPEN_BAND = "#2f6f4f", "#8a6116", "#a3352b"


@dataclass(frozen=True)
class Report:
    """A report as it was written.

    Parameters
    ----------
    page : Path
        The HTML page; its text and pictures lie beside it.
    headline : str
    facts : NightFacts
    text : str
    pictures : tuple of Picture
    """

    page: Path
    headline: str
    facts: NightFacts
    text: str
    pictures: tuple[Picture, ...]


def write_report(context: Context, night: date) -> Report:
    """Write the night's page, text and pictures into the depot. The same ledger gives the same bytes.

    Parameters
    ----------
    context : Context
    night : date

    Returns
    -------
    Report
    """
    facts = collect_facts(context, night)
    pictures = tuple(draw_all(facts, context.depot.root))
    page = report_page(context, night)
    for picture in pictures:
        write_whole(page.parent / f"{picture.name}.png", picture.png)
    text = render_text(facts, page)
    write_whole(page.parent / "report.txt", text.encode())
    write_whole(page, render_page(facts, pictures, {p.name: f"{p.name}.png" for p in pictures}).encode())
    night_end_queries.put_report(
        context.ledger, site=facts.site, night=night, kind=KIND, path=context.depot.relative(page)
    )
    return Report(page, headline(facts), facts, text, pictures)


def send_report(context: Context, night: date, *, resend: bool = False, server: MailServer | None = None) -> Path:
    """Write the night's report and send it: once, and once more whenever the night has changed since.

    The ledger remembers the mail when the server has accepted it. A crash in between leads to a second mail with
    the same Message-ID, which mail programs show once.

    Parameters
    ----------
    context : Context
    night : date
    resend : bool
        Send although it was sent and nothing has changed, as a mail of its own: a correction.
    server : MailServer, optional
        By default the one that the environment names. Where there is none the report is written and not sent,
        and an event says so.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    Retry
        If the server does not take the mail.
    """
    report = write_report(context, night)
    server = server or MailServer.from_environment()
    resend = resend or night_end_queries.changed_since_mail(
        context.ledger, site=report.facts.site, night=night, kind=KIND
    )
    if server is None:
        _say(context, night, EventLevel.WARNING, "mail_not_sent", _no_server(report.page))
        return report.page
    try:
        sent = _send_once(context, report, server, resend=resend)
    except Retry as error:
        _say(context, night, EventLevel.ERROR, "mail_not_sent", str(error))
        raise
    if sent:
        _say(
            context, night, EventLevel.INFO, "mail_sent",
            f"The summary of {night} went to {', '.join(context.night_policy.mail_to)} as {sent}.",
        )  # fmt: skip
    return report.page


def _send_once(context: Context, report: Report, server: MailServer, *, resend: bool) -> str | None:
    """Send the mail if it was not sent yet, and return its Message-ID; one sender at a time for a night."""
    site, night, policy = report.facts.site, report.facts.night, context.night_policy
    with context.ledger.transaction() as ledger:
        night_end_queries.lock_night(ledger, subject=f"mail {night_text(context.site, night)}")
        row = night_end_queries.report(ledger, site=site, night=night, kind=KIND)
        assert row is not None  # it was written
        if row.sent_at is not None and not resend:
            return None
        first = message_id(context.deployment, night)
        identity = next_message_id(row.message_id) if row.message_id else first
        mail = compose(
            subject=subject(report.facts, correction=identity != first),
            sender=policy.mail_from, to=policy.mail_to, identity=identity,
            answers=first if identity != first else None, text=report.text,
            page=lambda sources: render_page(report.facts, report.pictures, sources),
            pictures=fitting(report.pictures, len(report.text), context.deployment.surveys[0].report.mail_at_most_mb),
        )  # fmt: skip
        refused = send(mail, server)
        night_end_queries.set_report_sent(ledger, site=site, night=night, kind=KIND, message_id=identity)
        if refused:
            _say(
                context, night, EventLevel.WARNING, "mail_refused",
                f"The mail server took the summary of {night}, but not for {', '.join(refused)}.",
            )  # fmt: skip
    return identity


def fitting(pictures: Sequence[Picture], other_bytes: int, at_most_mb: float) -> list[Picture]:
    """Return the pictures that a mail has room for: the largest are left out first, those that lead last.

    Parameters
    ----------
    pictures : sequence of Picture
    other_bytes : int
        Of the text; the page in HTML is taken for eight times as much.
    at_most_mb : float
        How large the mail may be, in 10^6 bytes.
    """
    room = at_most_mb * 1e6 - 9 * other_bytes
    kept = list(pictures)
    for picture in sorted(pictures, key=lambda picture: (picture.leads, -len(picture.png))):
        if sum(len(held.png) * AS_TEXT for held in kept) <= room:
            break
        kept.remove(picture)
    return kept


def _no_server(page: Path) -> str:
    return f"NIGHTSHIFT_SMTP is not set, so no mail was sent; the report is {page}."


def _say(context: Context, night: date, level: EventLevel, kind: str, message: str) -> None:
    where = {"subject": night_text(context.site, night), "kind": kind}
    if not ledger_queries.event_said_so(context.ledger, **where, message=message):
        context.ledger.event(level, kind, message, subject=where["subject"], night_time=context.clock.now())


def headline(facts: NightFacts) -> str:
    """Return the first line: whether the night closed to zero."""
    if facts.verdict.closes:
        return "The night closed to zero."
    count = len(facts.verdict.reasons)
    return f"The night does not close: {count} thing{'s' if count > 1 else ''} unaccounted for."


def needs_line(facts: NightFacts) -> str:
    """Return the second line: what it needs of the reader."""
    if not facts.needs:
        return _without_science(facts) or "Nothing needs you. Enjoy the coffee."
    more = f", and {len(facts.needs) - 1} more below" if len(facts.needs) > 1 else ""
    first = plain(facts.needs[0].sentence, 160).rstrip(".")
    return f"{'1 thing needs' if len(facts.needs) == 1 else f'{len(facts.needs)} things need'} you: {first}{more}."


def _without_science(facts: NightFacts) -> str:
    """Return what to say of a night that closes and made nothing; nothing of another."""
    if not facts.exposures:
        return "No science exposure was taken. Nothing needs you."
    units = facts.verdict.accounts.units
    if units.parts[UnitState.PROCESSED]:
        return ""
    why = Counter(m.reason for part in units.parts.values() for m in part if m.reason).most_common(1)
    most = f" Most often: {facts.sentence(why[0][0])}" if why else ""
    return f"None of {units.total} units was processed, and nothing needs you.{most}"


def subject(facts: NightFacts, *, correction: bool = False) -> str:
    """Return the mail's subject: the night, the verdict, and whether somebody must act."""
    state = "closed" if facts.verdict.closes else "DOES NOT CLOSE"
    needs = f", {len(facts.needs)} to look at" if facts.needs else ""
    return f"{'Corrected: ' if correction else ''}{facts.night} {facts.site}: {state}{needs}"


def band(facts: NightFacts) -> str:
    """Return the colour of the verdict."""
    if not facts.verdict.closes:
        return OPEN_BAND
    return HUMAN_BAND if facts.needs else CLOSED_BAND


def _environment(*, autoescape: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nightshift.night_end", "templates"),
        autoescape=autoescape,  # noqa: S701 (off for the text alone)
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=autoescape,
        lstrip_blocks=autoescape,
    )
    environment.filters.update(plain=plain, text_table=text_table, wrapped=wrapped)
    return environment


def _common(facts: NightFacts) -> dict[str, object]:
    return {
        "facts": facts,
        "headline": headline(facts),
        "needs_line": needs_line(facts),
        "sections": sections_of(facts),
        "figures": figures_of(facts),
        "address": facts.address,
        "links_of": lambda need: links_of(facts, need),
    }


def links_of(facts: NightFacts, need: Need) -> list[tuple[str, str]]:
    """Return where more is told of something that needs a person, as (address, what it is).

    A section's address is that of the page, where it is known where the pages are served, and else within the mail or
    the page itself.
    """
    links = [(f"{facts.address}#{anchor_of(need.section)}", need.section)] if need.section else []
    if need.workflow and facts.airflow_url:
        links.append((f"{facts.airflow_url}/dags/{need.workflow}", f"{need.workflow} in Airflow"))
    return links


def render_page(facts: NightFacts, pictures: tuple[Picture, ...], sources: Mapping[str, str]) -> str:
    """Return the HTML page; `sources` says where each picture is: a file, or a part of the mail.

    A picture without a source is described in its place.
    """
    template = _environment(autoescape=True).get_template("summary.html.j2")
    colours = {"band": band(facts), "light": asdict(LIGHT), "dark": asdict(DARK)}
    return template.render(**_common(facts), **colours, pictures=pictures, sources=sources)


def render_text(facts: NightFacts, page: Path) -> str:
    """Return the same as text. It goes nowhere where a tag would count, so nothing is escaped for HTML."""
    template = _environment(autoescape=False).get_template("summary.txt.j2")
    highlights = [f"{figure.value} {figure.label}" for figure in figures_of(facts)]
    return template.render(**_common(facts), highlights=highlights, page=page)
