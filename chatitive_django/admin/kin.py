"""Links from one notification to all of its person or record: its number stands for either.

A phone number in an address would be in logs and histories, and before people who may not see it.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..models import Notification, log_alias
from .search import LONGEST_ID

SAME_PERSON, SAME_RECORD = "same_person_as", "same_record_as"


class _SameAs(admin.SimpleListFilter):
    """Shown only where a link asked for it, so that it can be seen and taken off."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        value = self.value()
        return [(value, _("as #%(number)s") % {"number": value})] if value else []

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Notification]
    ) -> QuerySet[Notification]:
        value = self.value() or ""
        if not (value.isascii() and value.isdecimal() and len(value) <= LONGEST_ID):
            return queryset.none()
        row = Notification.objects.using(log_alias()).filter(pk=int(value)).first()
        return queryset.none() if row is None else self.of(row, queryset)

    def of(self, row: Notification, queryset: QuerySet[Notification]) -> QuerySet[Notification]:
        """Those of `queryset` that are to the same person or about the same record."""
        raise NotImplementedError


class SamePerson(_SameAs):
    """To the same phone number, in whatever spelling, or to the same SID."""

    title = gettext_lazy("same person")
    parameter_name = SAME_PERSON

    def of(self, row: Notification, queryset: QuerySet[Notification]) -> QuerySet[Notification]:
        key = row.subscriber_key
        return queryset.filter(subscriber_key=key) if key else queryset.none()


class SameRecord(_SameAs):
    """About the same record."""

    title = gettext_lazy("same record")
    parameter_name = SAME_RECORD

    def of(self, row: Notification, queryset: QuerySet[Notification]) -> QuerySet[Notification]:
        if not row.source_model:
            return queryset.none()
        return queryset.filter(source_model=row.source_model, source_id=row.source_id)


def kin_urls(site: admin.AdminSite, row: Notification) -> dict[str, str]:
    """The lists of all to its person and all about its record, where it has these."""
    url = reverse("admin:chatitive_django_notification_changelist", current_app=site.name)
    return {
        "person_url": f"{url}?{SAME_PERSON}={row.pk}" if row.subscriber_key else "",
        "record_url": f"{url}?{SAME_RECORD}={row.pk}" if row.source_model else "",
    }
