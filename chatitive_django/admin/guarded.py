"""What every page does with settings that can't be used, and with what no database can store."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _

from ..conf import InvalidSetting
from ..findings import Finding, Level, Mender

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:  # Django's own classes take no type arguments when they run
    _ModelAdmin = admin.ModelAdmin

View = Callable[..., HttpResponseBase]


class Guarded(_ModelAdmin):
    """Settings that can't be used are told, rather than raised; so it is for all of its pages."""

    @property
    def urls(self) -> list[URLPattern]:
        patterns = self.get_urls()
        for pattern in patterns:
            pattern.callback = guarded(self, pattern.callback)
        return patterns


def guarded(owner: admin.ModelAdmin[Any], view: View) -> View:
    """The view, which tells of settings that it needs and can't use, and is spared any NUL."""

    @wraps(view)
    def called(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        request.GET, request.POST = _without_nul(request.GET), _without_nul(request.POST)
        try:
            return view(request, *args, **kwargs)
        except InvalidSetting:
            context = {
                **owner.admin_site.each_context(request),
                "title": _("This page needs the settings"),
                "opts": owner.opts,
                "media": owner.media,
                "finding": unusable_settings(),
            }
            request.current_app = owner.admin_site.name
            return TemplateResponse(request, "admin/chatitive_django/settings.html", context)

    return called


def _without_nul(form: QueryDict) -> Any:
    """What was sent without the character that PostgreSQL can't store, nor look for."""
    clean = form.copy()
    for name, values in form.lists():
        clean.setlist(name, [value.replace("\0", "") for value in values])
    return clean


def unusable_settings() -> Finding:
    """That the settings can't be used; what is wrong with them is for developers to read."""
    return Finding(
        code="settings",
        level=Level.BAD,
        text=_("The settings of CHATITIVE can't be used, so nothing is delivered."),
        mender=Mender.DEVELOPER,
        advice=_("`manage.py check` says what is wrong with them."),
    )
