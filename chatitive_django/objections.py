"""The question that is put to the project before a message leaves."""

from __future__ import annotations

from .models import Notification, log_alias
from .outcomes import Outcome, Result
from .signals import should_send


def objection_to(row: Notification) -> Result | None:
    """Why a claimed row must not be posted, by the receivers of `should_send`."""
    if not should_send.has_listeners(Notification):
        return None
    for _, answer in should_send.send_robust(
        sender=Notification, notification=row, using=log_alias()
    ):
        if isinstance(answer, Exception):
            return Result(
                outcome=Outcome.NOT_ARRIVED,
                reason="veto_failed",
                error_class=type(answer).__name__,
            )
        if answer is False or isinstance(answer, str):
            return Result(outcome=Outcome.NOT_SENT, reason="vetoed", explanation=answer or "")
    return None
