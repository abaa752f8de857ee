"""The log in the Django admin: read, resend, cancel; and the channels: pause, resume."""

from __future__ import annotations

from django.contrib import admin

from ..models import Channel, Notification
from .channels import ChannelAdmin
from .notification import NotificationAdmin

admin.site.register(Notification, NotificationAdmin)
admin.site.register(Channel, ChannelAdmin)

__all__ = ["ChannelAdmin", "NotificationAdmin"]
