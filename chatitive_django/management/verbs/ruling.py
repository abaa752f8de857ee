"""`rules`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from ...models import EventRule, log_alias
from ...rule_files import FORMATS, JSON, YAML, Difference, UnusableFile, bring_in, dump, load
from .base import FINDING, MISUSE, Output, Verb


def _arguments(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", required=True, metavar="list|export|import")
    told = "Each rule as a sentence, its mode, and what is wrong; exits 1 where something is."
    lister = acts.add_parser("list", help=told, description=told)
    lister.add_argument("--format", choices=["text", "json"], default="text")
    told = "Write all rules as a file that is kept in git."
    exporter = acts.add_parser("export", help=told, description=told)
    exporter.add_argument("--format", choices=FORMATS, default=JSON, help="YAML needs PyYAML")
    told = "Make the rules of a file the stored ones, all or none; others stay as they are."
    importer = acts.add_parser("import", help=told, description=told)
    importer.add_argument("file", metavar="FILE", help="YAML if it is named so, else JSON")
    importer.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 where something would change"
    )


def _rules(out: Output, *, act: str, **options: Any) -> int:
    acts: dict[str, Callable[..., int]] = {"list": _list, "export": _export, "import": _import}
    return acts[act](out, **options)


def _stored() -> list[EventRule]:
    rules = EventRule.objects.using(log_alias()).prefetch_related("conditions", "payload")
    return list(rules.order_by("name"))


def _list(out: Output, *, format: str) -> int:  # noqa: A002 -- its option's
    facts = [
        {
            "name": rule.name,
            "mode": rule.mode,
            "sentence": rule.sentence(),
            "problems": rule.problems(),
        }
        for rule in _stored()
    ]
    if format == "json":
        out.write(json.dumps(facts, indent=2, ensure_ascii=False))
    elif not facts:
        out.write("There are no rules.")
    else:
        for rule in facts:
            out.write(f"{rule['name']} ({rule['mode']}): {rule['sentence']}")
            for problem in rule["problems"]:
                out.write(f"  ! {problem}")
    return FINDING if any(rule["problems"] for rule in facts) else 0


def _export(out: Output, *, format: str) -> int:  # noqa: A002 -- its option's
    try:
        out.write(dump(_stored(), format))
    except UnusableFile as error:
        raise CommandError(str(error), returncode=MISUSE) from None
    return 0


def _import(out: Output, *, file: str, check: bool) -> int:
    path = Path(file)
    try:
        text = path.read_text(encoding="utf-8")
        rules = load(text, YAML if path.suffix in {".yaml", ".yml"} else JSON)
        done = bring_in(rules, write=not check)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} can't be read: {error}", returncode=MISUSE) from None
    except UnusableFile as error:
        told = "\n".join(f"  {problem}" for problem in error.problems)
        raise CommandError(f"{file}: nothing was changed.\n{told}", returncode=MISUSE) from None
    verbs = ("Would create", "Would change") if check else ("Created", "Changed")
    for rule in done.rules:
        if rule.is_new:
            out.write(f"{verbs[0]} {rule.name}: {rule.sentence}")
        elif rule.differences:
            out.write(f"{verbs[1]} {rule.name}:")
            for difference in rule.differences:
                out.write(f"  {_difference(difference)}")
    unchanged = sum(not (rule.is_new or rule.differences) for rule in done.rules)
    out.write(f"{unchanged} of {len(done.rules)} rules are as the file has them.")
    if done.left:
        out.write(f"Not in the file, and left as they are: {', '.join(done.left)}.")
    return FINDING if check and done.changes else 0


def _difference(difference: Difference) -> str:
    old, new = (
        "none" if value is None else json.dumps(value, ensure_ascii=False)
        for value in (difference.old, difference.new)
    )
    return f"{difference.place}: {old} → {new}"


RULES = Verb(
    name="rules",
    help="List the rules that staff made, write them to a file, or bring a file in.",
    add_arguments=_arguments,
    run=_rules,
)
