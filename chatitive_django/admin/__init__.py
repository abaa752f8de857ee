"""The log in the Django admin: read, resend, cancel."""

from __future__ import annotations

from django.contrib import admin

from ..models import Notification
from .notification import NotificationAdmin

admin.site.register(Notification, NotificationAdmin)

__all__ = ["NotificationAdmin"]
