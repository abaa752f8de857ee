"""The tables: the log, and what is known of the channels and of the processes that deliver."""

from .channels import Channel, Heartbeat
from .notifications import Attempt, Notification, log_alias

__all__ = ["Attempt", "Channel", "Heartbeat", "Notification", "log_alias"]
