"""The admin: the log, resends of many, the channels, and the rules that staff make."""

from __future__ import annotations

from django.contrib import admin

from ..models import Channel, EventRule, Notification, ResendBatch
from .batches import BatchAdmin
from .channels import ChannelAdmin
from .mixin import MessagesMixin
from .notification import NotificationAdmin
from .rules import EventRuleAdmin

admin.site.register(Notification, NotificationAdmin)
admin.site.register(ResendBatch, BatchAdmin)
admin.site.register(Channel, ChannelAdmin)
admin.site.register(EventRule, EventRuleAdmin)

__all__ = ["BatchAdmin", "ChannelAdmin", "EventRuleAdmin", "MessagesMixin", "NotificationAdmin"]
