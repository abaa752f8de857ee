"""`explain`."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder

from ...explain import (
    Explained,
    Explanation,
    NothingToExplain,
    Reader,
    Recorded,
    explain,
    model_named,
)
from ...preview import Check
from .base import MISUSE, Output, Verb

_MARKS = {True: "✓", False: "✗", None: "–"}


def _explain_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="app.Model")
    parser.add_argument("pk", metavar="PK")
    parser.add_argument("--format", choices=["text", "json"], default="text")


def _explain(out: Output, *, model: str, pk: str, format: str) -> int:  # noqa: A002 -- its option's
    try:
        found = explain(model_named(model), pk, Reader())
    except NothingToExplain as error:
        raise CommandError(str(error), returncode=MISUSE) from None
    if format == "json":
        facts = dataclasses.asdict(found)
        out.write(json.dumps(facts, cls=DjangoJSONEncoder, indent=2, ensure_ascii=False))
    else:
        for line in _told(found):
            out.write(line)
    return 0


def _told(found: Explanation) -> Iterator[str]:
    name = f" “{found.name}”" if found.name else ""
    yield f"{found.model} {found.pk}{name}{'' if found.exists else ', which is gone'}"
    if not found.events:
        yield "Nothing is declared for it, neither by code nor by a rule."
    for event in found.events:
        yield ""
        yield from _event(event)
    yield ""
    yield "Recorded, the newest first:" if found.recorded else "Nothing was recorded for it."
    for row in found.recorded:
        yield f"  {_row(row)}"


def _event(event: Explained) -> Iterator[str]:
    declared = "rule" if event.rule_id is not None else "code"
    yield f"{event.event_name} ({declared} {event.where}, {event.mode})"
    yield f"  {event.sentence}"
    yield f"  → {event.answer}"
    for problem in event.problems:
        yield f"  ! {problem}"
    for gap in event.gaps:
        if gap.text != event.answer:
            yield f"  → {gap.text}"
        for reason in gap.reasons:
            yield f"    · {reason}"
    for check in event.checks:
        yield f"  {_check(check)}"


def _check(check: Check) -> str:
    actual = f"  [{check.actual}]" if check.actual else ""
    problem = f"  {check.problem}" if check.problem else ""
    return f"{_MARKS[check.holds]} {check.text}{actual}{problem}"


def _row(row: Recorded) -> str:
    to = f" to {row.recipient}" if row.recipient else ""
    reason = f" {row.reason}" if row.reason else ""
    when = row.created_at.isoformat(sep=" ", timespec="seconds")
    return f"{when} #{row.id} {row.event_name}{to}: {row.status}.{reason} ({row.why})"


EXPLAIN = Verb(
    name="explain",
    help="Why a record did or didn't fire each event that is declared for it.",
    add_arguments=_explain_arguments,
    run=_explain,
)
