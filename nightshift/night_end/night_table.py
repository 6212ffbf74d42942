"""The night's table for a terminal."""

from datetime import date

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nightshift.context import Context
from nightshift.night_end.facts import NightFacts, collect_facts
from nightshift.night_end.identities import Identity
from nightshift.night_end.report import headline
from nightshift.night_end.report_sections import figures_of
from nightshift.night_end.report_text import plain

__all__ = ["accounts_table", "night_table"]

MOST_NEEDS = 12


def night_table(context: Context, night: date) -> RenderableType:
    """Return how a night stands: its verdict, its sums with the reasons, its figures, and what needs a human."""
    facts = collect_facts(context, night)
    colour = "green" if facts.verdict.closes else "red"
    title = Text.assemble((headline(facts), f"bold {colour}"), f"  {facts.survey_title}, night of {night}")
    parts: list[RenderableType] = [title, accounts_table(facts), _figures(facts)]
    if facts.needs:
        parts.append(_needs(facts))
    return Group(*parts)


def accounts_table(facts: NightFacts) -> Table:
    """Return the identities, one row a part, each with its reasons."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    table.add_column("sum")
    table.add_column("count", justify="right")
    table.add_column("reasons")
    for identity in facts.verdict.accounts.identities:
        mark = Text("=", "green") if identity.closes else Text("!", "bold red")
        table.add_row(mark, Text(identity.name, "bold"), Text(str(identity.total), "bold"), "")
        for part, count in identity.counts().items():
            style = "" if count else "dim"
            table.add_row("", Text(f"  {part}", style), Text(str(count), style), _reasons(facts, identity, part))
        if identity.open:
            text = "; ".join(identity.imbalance())
            table.add_row(
                "", Text("  in none of these", "red"), Text(str(len(identity.open)), "red"), plain(text, 200)
            )
    return table


def _reasons(facts: NightFacts, identity: Identity, part: str) -> Text:
    return Text("; ".join(f"{n} {facts.sentence(r).rstrip('.')}" for r, n in identity.reasons(part).items()))


def _figures(facts: NightFacts) -> Table:
    figures = figures_of(facts)
    table = Table(box=None, show_header=False, padding=(0, 3, 0, 0))
    table.add_row(*(Text(f.value, "bold") for f in figures))
    table.add_row(*(Text(f.label, "dim") for f in figures))
    return table


def _needs(facts: NightFacts) -> RenderableType:
    lines = Table.grid(padding=(0, 1))
    for number, need in enumerate(facts.needs[:MOST_NEEDS], start=1):
        lines.add_row(f"  {number}.", Text(plain(f"{need.sentence} {need.step}".strip(), 300)))
        if need.command:
            lines.add_row("", Text(plain(need.command, 300), "dim"))
    if len(facts.needs) > MOST_NEEDS:
        lines.add_row("", f"… and {len(facts.needs) - MOST_NEEDS} more")
    return Group(Text("\nWhat needs you"), lines)
