"""The tables: the log, the rules, and what is known of channels and of processes that deliver."""

from .channels import Channel, Heartbeat
from .notifications import Attempt, Notification, log_alias
from .rule_rows import RuleCondition, RulePayload
from .rules import ChangedMeanwhile, EventRule

__all__ = [
    "Attempt",
    "ChangedMeanwhile",
    "Channel",
    "EventRule",
    "Heartbeat",
    "Notification",
    "RuleCondition",
    "RulePayload",
    "log_alias",
]
