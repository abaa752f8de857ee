"""Lists to which a link alone leads: one's person or record, a cause, a part of a bulk send.

A notification's number stands for its person or record: a phone number in an address would be in
logs and histories, and before people who may not see it.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..batches import failed_of
from ..incidents import failed_lately
from ..models import BatchRow, Notification, ResendBatch, log_alias
from ..reasons import sentence
from .search import LONGEST_ID

SAME_PERSON, SAME_RECORD = "same_person_as", "same_record_as"
FAILED_FOR, IN_BATCH = "failed_for", "in_batch"
FAILED = "failed"
"""The part of a bulk send that was queued and failed; the other parts are how it was sorted."""


class _Linked(admin.SimpleListFilter):
    """Shown only where a link asked for it, so that it can be seen and taken off."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        value = self.value()
        return [] if value is None else [(value, self.told(value))]

    def told(self, value: str) -> str:
        """What the link asked for, in words."""
        raise NotImplementedError

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Notification]
    ) -> QuerySet[Notification]:
        value = self.value()
        return queryset if value is None else self.found(value, queryset)

    def found(self, value: str, queryset: QuerySet[Notification]) -> QuerySet[Notification]:
        """Those of `queryset` for which the link asked."""
        raise NotImplementedError


class _SameAs(_Linked):
    """By the number of a notification."""

    def told(self, value: str) -> str:
        return _("as #%(number)s") % {"number": value}

    def found(self, value: str, queryset: QuerySet[Notification]) -> QuerySet[Notification]:
        if not _is_id(value):
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


class FailedFor(_Linked):
    """What failed in the last days for one cause, as a tile of the list counts it."""

    title = gettext_lazy("failed lately")
    parameter_name = FAILED_FOR

    def told(self, value: str) -> str:
        return sentence(value) if value else "–"

    def found(self, value: str, queryset: QuerySet[Notification]) -> QuerySet[Notification]:
        return failed_lately(queryset).filter(reason=value)


class InBatch(_Linked):
    """One part of a bulk send: what was sorted so, or what failed of it."""

    title = gettext_lazy("bulk send")
    parameter_name = IN_BATCH

    def told(self, value: str) -> str:
        batch, _colon, part = value.partition(":")
        label = _("Failed since") if part == FAILED else dict(BatchRow.Sort.choices).get(part, part)
        return f"#{batch}: {label}"

    def found(self, value: str, queryset: QuerySet[Notification]) -> QuerySet[Notification]:
        batch, _colon, part = value.partition(":")
        if not _is_id(batch):
            return queryset.none()
        if part == FAILED:
            return queryset.filter(pk__in=failed_of(int(batch)).values("pk"))
        rows = BatchRow.objects.using(log_alias()).filter(batch=int(batch), sort=part)
        return queryset.filter(pk__in=rows.values("notification"))


def batch_url(site: admin.AdminSite, batch: ResendBatch, part: str) -> str:
    """The list of the notifications of one part of a bulk send."""
    return f"{_list_url(site)}?{urlencode({IN_BATCH: f'{batch.pk}:{part}'})}"


def kin_urls(site: admin.AdminSite, row: Notification) -> dict[str, str]:
    """The lists of all to its person and all about its record, where it has these."""
    url = _list_url(site)
    return {
        "person_url": f"{url}?{SAME_PERSON}={row.pk}" if row.subscriber_key else "",
        "record_url": f"{url}?{SAME_RECORD}={row.pk}" if row.source_model else "",
    }


def _list_url(site: admin.AdminSite) -> str:
    return reverse("admin:chatitive_django_notification_changelist", current_app=site.name)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= LONGEST_ID
