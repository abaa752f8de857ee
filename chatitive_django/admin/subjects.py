"""Whom a notification is for and which record it is about, as far as a person may see it."""

from __future__ import annotations

from django.apps import apps
from django.contrib.admin import AdminSite
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.admin.utils import quote
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from ..excerpts import with_numbers_masked
from ..models import Notification, log_alias
from ..sentences import name_of

VIEW_PAYLOAD = "chatitive_django.view_payload"


def sees_all(request: HttpRequest) -> bool:
    """Whether this person may see payloads, responses and whole phone numbers."""
    return request.user.has_perm(VIEW_PAYLOAD)


def recipient(request: HttpRequest, row: Notification) -> str:
    """Whom it is for; masked for those who may not see whole numbers."""
    if sees_all(request):
        return row.subscriber_sid or row.phone_number or "–"
    return row.masked_subscriber or "–"


def about(request: HttpRequest, site: AdminSite, row: Notification) -> str:
    """The record, by the name it had, with a link where this person may see it."""
    url = record_url(request, site, row)
    name = record_name(row, whole=sees_all(request))
    return format_html('<a href="{}">{}</a>', url, name) if url else name


def about_now(request: HttpRequest, site: AdminSite, row: Notification) -> str:
    """The record, and whether it is still there."""
    try:
        model = apps.get_model(row.source_model)
        pk = model._meta.pk.to_python(row.source_id)
    except (LookupError, ValueError, ValidationError):
        return record_name(row, whole=sees_all(request))
    if model._base_manager.using(log_alias()).filter(pk=pk).exists():
        return about(request, site, row)
    name = record_name(row, whole=sees_all(request))
    return _("%(record)s (deleted since)") % {"record": name}


def record_name(row: Notification, *, whole: bool) -> str:
    """The record by the name it had, else by its key.

    Unless `whole`, the phone numbers in it are masked; a long key alone is none.
    """
    name = row.source_name or f"{row.source_model} {row.source_id}".strip() or "–"
    return name if whole else with_numbers_masked(name, but=row.source_id)


def named(model: type[Model], key: object, record: Model | None) -> str:
    """A record by its key, and by its name where it is given for one who may see what it holds."""
    name = f"{name_of(model)} {key}"
    return name if record is None else f"{name}: {record}"


def record_url(request: HttpRequest, site: AdminSite, row: Notification) -> str | None:
    """The record's own page, where there is one that this person may see."""
    try:
        model = apps.get_model(row.source_model)
        shown = site.get_model_admin(model)
    except (LookupError, ValueError, NotRegistered):
        return None
    if not shown.has_view_or_change_permission(request):
        return None
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
    try:
        return reverse(name, args=[quote(row.source_id)], current_app=site.name)
    except NoReverseMatch:  # its admin has no such page
        return None
