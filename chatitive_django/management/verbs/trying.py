"""`send-test`."""

from __future__ import annotations

import argparse
import json
from typing import Any

from django.core.management.base import CommandError

from ...exceptions import InvalidEvent
from ...models import Attempt, Notification, log_alias
from ...trials import deliver_this, record_test
from .base import FINDING, MISUSE, Output, Verb, identifier, known_channel

Status = Notification.Status


def json_object(text: str) -> dict[str, Any]:
    """A JSON object, for argparse."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"it is no JSON: {error}") from None
    except RecursionError:
        raise argparse.ArgumentTypeError("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError('it must be a JSON object, such as {"key": "value"}')
    return value


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("event", metavar="EVENT", help="the event's name, exactly")
    subscriber = parser.add_mutually_exclusive_group(required=True)
    subscriber.add_argument("--phone-number", type=identifier, metavar="N")
    subscriber.add_argument("--subscriber-sid", type=identifier, metavar="S")
    parser.add_argument("--channel", metavar="ALIAS", default="default")
    parser.add_argument("--payload", type=json_object, metavar="JSON", help="a JSON object")
    parser.add_argument("--format", choices=["text", "json"], default="text")


def _send_test(
    out: Output,
    *,
    event: str,
    phone_number: str | None,
    subscriber_sid: str | None,
    channel: str,
    payload: dict[str, Any] | None,
    format: str,  # noqa: A002 -- its option's
) -> int:
    try:
        row = record_test(
            event,
            phone_number=phone_number,
            subscriber_sid=subscriber_sid,
            channel=known_channel(channel),
            payload=payload,
        )
    except InvalidEvent as error:
        raise CommandError(str(error), returncode=MISUSE) from None
    if row.status == Status.PENDING:
        row = deliver_this(row)
    attempt = Attempt.objects.using(log_alias()).filter(notification=row).last()
    if format == "json":
        facts = {
            "id": row.pk,
            "public_id": str(row.public_id),
            "status": row.status,
            "reason": row.reason,
            "sentence": row.reason_sentence,
            "http_status": attempt.http_status if attempt else None,
            "duration_ms": attempt.duration_ms if attempt else None,
        }
        out.write(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        out.write(_told(row, attempt))
    went = row.status == Status.ACCEPTED or row.reason == "printed_not_sent"
    return 0 if went else FINDING


def _told(row: Notification, attempt: Attempt | None) -> str:
    """What became of it, in a line or two."""
    answer = ""
    if attempt is not None and attempt.http_status is not None:
        answer = f" (status {attempt.http_status} in {attempt.duration_ms} ms)"
    to = f" to {row.masked_subscriber}" if row.masked_subscriber else ""
    begin = f"Notification {row.pk}{to} is {row.status}{answer}."
    if row.status == Status.ACCEPTED:
        return f"{begin} Whether a text goes out is decided by the workflow there."
    if row.status == Status.PENDING and attempt is None:
        return f"{begin} Its channel is held up: `manage.py chatitive status` says why."
    return f"{begin} {row.reason_sentence}".rstrip()


SEND_TEST = Verb(
    name="send-test",
    help="Send an event as a test, and tell what became of it; exits 1 where it was neither "
    "accepted nor, by console://, printed.",
    add_arguments=_arguments,
    run=_send_test,
)
