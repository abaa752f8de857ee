"""What is logged, as a receiver of the app's own signals: ids and codes, never a number or text."""

from __future__ import annotations

import logging

from .models import Notification
from .outcomes import Outcome, Result

logger = logging.getLogger("chatitive_django")

Status = Notification.Status


def on_notification_settled(notification: Notification, result: Result, **kwargs: object) -> None:
    """Log how an attempt ended; one that may have arrived is an error, for a person must decide."""
    if notification.status == Status.UNKNOWN:
        level = logging.ERROR
    elif result.outcome in {Outcome.ACCEPTED, Outcome.NOT_SENT}:
        level = logging.INFO
    else:
        level = logging.WARNING
    logger.log(
        level,
        "Notification %s (%s, channel %s) is %s after try %d: %s.",
        notification.public_id,
        notification.event_name,
        notification.channel,
        notification.status,
        notification.attempts,
        result.reason or result.outcome,
    )
