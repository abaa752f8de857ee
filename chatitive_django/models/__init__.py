"""The tables: log, resends of many, rules, and what is known of channels and processes."""

from .batches import BatchRow, ResendBatch
from .channels import Channel, Heartbeat
from .notifications import Attempt, Notification, log_alias
from .rule_rows import RuleCondition, RulePayload
from .rules import ChangedMeanwhile, EventRule

__all__ = [
    "Attempt",
    "BatchRow",
    "ChangedMeanwhile",
    "Channel",
    "EventRule",
    "Heartbeat",
    "Notification",
    "ResendBatch",
    "RuleCondition",
    "RulePayload",
    "log_alias",
]
