"""`doctor`."""

from __future__ import annotations

import argparse
import dataclasses
import json

from ...doctor import examine
from ...findings import Finding, Level
from .base import FINDING, Output, Verb

_MARKS = {Level.OK: "✓", Level.WARN: "!", Level.BAD: "✗"}


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=["text", "json"], default="text")


def _doctor(out: Output, *, format: str) -> int:  # noqa: A002 -- its option's
    findings = examine()
    wrong = [finding for finding in findings if finding.level is not Level.OK]
    if format == "json":
        checks = [dataclasses.asdict(finding) for finding in findings]
        facts = {"ok": not wrong, "checks": checks}
        out.write(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        for finding in findings:
            _tell(out, finding)
        out.write(f"{len(findings)} checks, {len(wrong)} of them with something to mend.")
    return FINDING if wrong else 0


def _tell(out: Output, finding: Finding) -> None:
    out.write(f"{_MARKS[finding.level]} {finding.code}: {finding.text}")
    if finding.advice:
        who = f"{finding.mender.label}: " if finding.mender else ""
        out.write(f"    {who}{finding.advice}")


DOCTOR = Verb(
    name="doctor",
    help="Look at everything that may be wrong, and connect to each channel without sending "
    "anything; exits 1 where something is to be mended.",
    add_arguments=_arguments,
    run=_doctor,
    needs_sound_project=False,
)
