"""Filters whose choices come from the settings, never from a `SELECT DISTINCT` over the log."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ..conf import InvalidSetting, settings
from ..models import Notification


class ChannelFilter(admin.SimpleListFilter):
    """By channel; shown where there is more than one."""

    title = _("channel")
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        try:
            channels = list(settings.API_URLS)
        except InvalidSetting:  # a check names it; the log must still be readable
            channels = []
        return [(channel, channel) for channel in channels] if len(channels) > 1 else []

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Notification]
    ) -> QuerySet[Notification]:
        return queryset.filter(channel=self.value()) if self.value() else queryset
