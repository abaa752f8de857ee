"""What can be copied from a notification's page: a summary for support, and the call itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.utils.translation import gettext as _

from ..conf import InvalidSetting, settings
from ..curl import command
from ..models import Attempt, Notification
from ..posting import message_of
from ..reasons import sentence
from . import wording
from .meanings import meaning
from .subjects import record_name


def summary(row: Notification, attempts: Iterable[Attempt]) -> str:
    """The notification in plain text for a message to a colleague: its number is masked always."""
    return "\n".join([*_lines(row), *map(_line, attempts)])


def _lines(row: Notification) -> Iterator[str]:
    yield f"{row} ({row.get_status_display()})"
    yield wording.headline(row)
    yield ""
    for label, fact in (
        (_("To"), row.masked_subscriber),
        (_("About"), record_name(row, whole=False)),
        (_("Recorded"), row.created_at.isoformat(timespec="seconds")),
        (_("Finished"), row.finished_at.isoformat(timespec="seconds") if row.finished_at else ""),
        (_("Channel"), row.channel),
        (_("Declared as"), row.event_key),
        (_("Public id"), row.public_id),
        (_("Reason"), row.reason),
        (_("What it means"), meaning(row).means),
    ):
        if fact:
            yield f"{label}: {fact}"


def _line(attempt: Attempt) -> str:
    facts = [
        attempt.started_at.isoformat(timespec="seconds"),
        str(attempt.get_outcome_display()),
        f"HTTP {attempt.http_status}" if attempt.http_status else "",
        attempt.error_class,
        sentence(attempt.reason) if attempt.reason else "",
    ]
    return f"{_('Try')} {attempt.number}: {', '.join(filter(None, facts))}"


def curl(row: Notification) -> str:
    """The call as a command without the account's SID and token; empty where there is none."""
    try:
        url = settings.API_URLS.get(row.channel, "")
    except InvalidSetting:  # a check names it; the page must still be readable
        return ""
    return command(url, message_of(row))
