"""What is logged, as receivers of the app's own signals: ids and codes, never a number or text."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.dispatch import Signal

from . import signals
from .models import Channel, Notification
from .outcomes import Outcome, Result

logger = logging.getLogger("chatitive_django")

Status = Notification.Status


def log_signals() -> None:
    """Log what the app's signals tell."""
    receivers: dict[Signal, Callable[..., None]] = {
        signals.notification_settled: on_notification_settled,
        signals.notification_expired: on_notification_expired,
        signals.channel_paused: on_channel_paused,
        signals.channel_resumed: on_channel_resumed,
        signals.breaker_opened: on_breaker_opened,
        signals.breaker_closed: on_breaker_closed,
    }
    for signal, receiver in receivers.items():
        signal.connect(receiver, dispatch_uid="chatitive_django")


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


def on_notification_expired(
    notification: Notification, result: Result | None = None, **kwargs: object
) -> None:
    """Log a message that never went: its customer has not heard."""
    if result is not None:  # its last try was logged as it ended
        return
    logger.warning(
        "Notification %s (%s, channel %s) expired after %d tries.",
        notification.public_id,
        notification.event_name,
        notification.channel,
        notification.attempts,
    )


def on_channel_paused(channel: Channel, **kwargs: object) -> None:
    """Log a pause."""
    logger.warning("Channel %s is paused; its messages wait.", channel.alias)


def on_channel_resumed(channel: Channel, **kwargs: object) -> None:
    """Log the end of a pause."""
    logger.info("Channel %s goes on after its pause.", channel.alias)


def on_breaker_opened(channel: Channel, **kwargs: object) -> None:
    """Log a channel that can't work: someone must look."""
    logger.error(
        "The breaker of channel %s opened (%s): its messages wait while one is tried at times.",
        channel.alias,
        channel.breaker_reason,
    )


def on_breaker_closed(channel: Channel, **kwargs: object) -> None:
    """Log a channel that works again."""
    logger.info("The breaker of channel %s closed: a message got through.", channel.alias)
