"""The admin: the log, the channels, and the rules that staff make."""

from __future__ import annotations

from django.contrib import admin

from ..models import Channel, EventRule, Notification
from .channels import ChannelAdmin
from .notification import NotificationAdmin
from .rules import EventRuleAdmin

admin.site.register(Notification, NotificationAdmin)
admin.site.register(Channel, ChannelAdmin)
admin.site.register(EventRule, EventRuleAdmin)

__all__ = ["ChannelAdmin", "EventRuleAdmin", "NotificationAdmin"]
