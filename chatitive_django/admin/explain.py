"""The page that answers: why didn't it fire?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..explain import (
    Explained,
    Explanation,
    NothingToExplain,
    Reader,
    explain,
    explainable,
    model_named,
)
from ..models import EventRule, Notification
from ..registry import AnyModel
from .badges import bare_status_badge, check_badge
from .moments import moment

if TYPE_CHECKING:
    _NotificationAdmin = admin.ModelAdmin[Notification]
else:  # Django's own classes take no type arguments when they run
    _NotificationAdmin = admin.ModelAdmin

VIEW_PAYLOAD = "chatitive_django.view_payload"


class RecordForm(forms.Form):
    """Which record to explain."""

    model = forms.ChoiceField(label=gettext_lazy("Record"))
    pk = forms.CharField(
        label=gettext_lazy("with the id"),
        max_length=255,
        widget=forms.TextInput(attrs={"class": "vIntegerField"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        model: Any = self.fields["model"]
        model.choices = [
            (each._meta.label_lower, f"{each._meta.verbose_name} ({each._meta.label})")
            for each in explainable()
        ]


class Explains(_NotificationAdmin):
    """The page of one record: what is declared for it, what holds, and what was recorded."""

    def get_urls(self) -> list[URLPattern]:
        page = path(
            "explain/",
            self.admin_site.admin_view(self.explain_view),
            name="chatitive_django_explain",
        )
        return [page, *super().get_urls()]

    def explain_url(self, model: str, pk: str) -> str:
        """The page of a record, by its model's label and its key as the log has them."""
        url = reverse("admin:chatitive_django_explain", current_app=self.admin_site.name)
        return f"{url}?{urlencode({'model': model, 'pk': pk})}"

    def explain_view(self, request: HttpRequest) -> HttpResponse:
        """By GET alone: it writes nothing and sends nothing."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = RecordForm(request.GET or None)
        found, problem = None, ""
        if form.is_valid():
            try:
                model = model_named(form.cleaned_data["model"])
                found = explain(model, form.cleaned_data["pk"], _reader(request, model))
            except NothingToExplain as error:
                problem = str(error)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Why didn't it fire?"),
            "opts": self.opts,
            "media": self.media,
            "form": form,
            "problem": problem,
            "found": found,
            "events": [_event(each) for each in found.events] if found else [],
            "recorded": _recorded(found) if found else [],
            "may_see_rules": request.user.has_perm("chatitive_django.view_eventrule")
            and self.admin_site.is_registered(EventRule),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/chatitive_django/explain.html", context)


def _reader(request: HttpRequest, model: AnyModel) -> Reader:
    """What the person may see: what the record holds, if they may see payloads or the record."""
    whole = request.user.has_perm(VIEW_PAYLOAD)
    names = (
        f"{model._meta.app_label}.{act}_{model._meta.model_name}" for act in ("view", "change")
    )
    return Reader(whole=whole, values=whole or any(map(request.user.has_perm, names)))


def _event(event: Explained) -> dict[str, Any]:
    """An event as the template tells it."""
    return {
        "told": event,
        "tone": _tone(event),
        "gaps": [gap for gap in event.gaps if gap.text != event.answer or gap.reasons],
        "checks": [
            (check, check_badge(check) if check.holds is not None or check.problem else "")
            for check in event.checks
        ],
    }


def _tone(event: Explained) -> str:
    if event.problems or any(gap.bypassed for gap in event.gaps):
        return "bad"
    return "warn" if event.gaps else "quiet"


def _recorded(found: Explanation) -> list[tuple[Any, ...]]:
    return [(row, moment(row.created_at), bare_status_badge(row.status)) for row in found.recorded]
