"""The pages of the notification log; it answers: did it go, why not, may I send it again?"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from ..models import Notification
from . import subjects
from .detail import Detail
from .guarded import Guarded
from .listing import Listing


class NotificationAdmin(Guarded, Detail, Listing):
    """The log; rows are made by the app alone, and people resend or cancel them."""

    class Media:
        css = {"all": ("chatitive_django/admin.css", "chatitive_django/detail.css")}
        js = ("chatitive_django/copy.js",)

    # Who may do what

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    # The list and the detail

    def recipient(self, request: HttpRequest, row: Notification) -> str:
        return subjects.recipient(request, row)

    def about(self, request: HttpRequest, row: Notification) -> str:
        return subjects.about(request, self.admin_site, row)
