"""`status`."""

from __future__ import annotations

import argparse
import json

from django.db import Error as DatabaseFailure

from ...health import ChannelHealth, Health, WorkerHealth, examine
from .base import FINDING, Output, Verb


def _report_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=["text", "json"], default="text")


def _report(out: Output, *, format: str) -> int:  # noqa: A002 -- its option's
    try:
        health = examine()
    except DatabaseFailure as error:
        if format == "json":
            out.write(json.dumps({"ok": False, "error": type(error).__name__}))
        raise
    if format == "json":
        out.write(health.as_json())
    else:
        _tell(out, health)
    return 0 if health.ok else FINDING


def _tell(out: Output, health: Health) -> None:
    for finding in health.findings:
        out.write(f"! {finding.text} {finding.advice}")
    if health.ok:
        out.write("Nobody must act.")
    for channel in health.channels:
        out.write(_channel(channel))
    for worker in health.workers:
        out.write(_worker(worker))
    counts = [f"{number} {status}" for status, number in health.last_24_hours.items() if number]
    out.write(f"Recorded in 24 h: {', '.join(counts) or 'nothing'}.")


def _channel(channel: ChannelHealth) -> str:
    waiting = f"{channel.pending} pending ({channel.due} due), {channel.sending} being sent"
    if channel.oldest_pending_age is not None:
        waiting += f", the oldest for {channel.oldest_pending_age:.0f} s"
    return f"Channel {channel.alias} ({channel.state.replace('_', ' ')}): {waiting}."


def _worker(worker: WorkerHealth) -> str:
    seen = f"seen {worker.seen_age:.0f} s ago"
    return (
        f"{worker.kind.capitalize()} {worker.host}:{worker.pid}, {worker.concurrency} threads, "
        f"{seen if worker.alive else f'LOST, {seen}'}."
    )


STATUS = Verb(
    name="status",
    help="How delivery is doing; exits 1 where someone must act.",
    add_arguments=_report_arguments,
    run=_report,
)
