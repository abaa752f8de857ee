"""The preview: what an unsaved rule, or an event that code declares, would do for a record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.forms.formsets import all_valid
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST

from ...models import EventRule, Notification, RuleCondition, RulePayload
from ...preview import Preview, Verdict, latest, preview, record
from ...registry import Declared
from ...rules import declared_rule
from ...sentences import name_of, sentence
from ...subscribers import mask
from ..badges import check_badge, mode_badge, verdict_badge
from ..subjects import named
from .listing import code_events, file_of

if TYPE_CHECKING:
    _RuleAdmin = admin.ModelAdmin[EventRule]
else:  # Django's own classes take no type arguments when they run
    _RuleAdmin = admin.ModelAdmin

VIEW_PAYLOAD = "chatitive_django.view_payload"


class Previews(_RuleAdmin):
    """The preview of a form, and the page of an event that code declares."""

    def get_urls(self) -> list[URLPattern]:
        pages: list[URLPattern] = [
            path(
                "preview/",
                self.admin_site.admin_view(self.preview_view),
                name="chatitive_django_eventrule_preview",
            ),
            path(
                "declared/",
                self.admin_site.admin_view(self.declared_view),
                name="chatitive_django_eventrule_declared",
            ),
        ]
        return pages + super().get_urls()

    @method_decorator(require_POST)
    @method_decorator(xframe_options_sameorigin)
    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What the posted form would do for a record; nothing is saved, nothing sent."""
        rule: EventRule | None = None
        if pk := request.GET.get("rule"):
            rule = self.get_object(request, pk)
            if rule is None:
                raise Http404(_("There is no such rule."))
        may = (
            self.has_change_permission(request, rule) if rule else self.has_add_permission(request)
        )
        if not may:
            raise PermissionDenied
        form_class: Any = self.get_form(request, rule, change=rule is not None)
        form = form_class(request.POST, instance=rule)
        is_valid = form.is_valid()
        formsets, _inlines = self._create_formsets(  # type: ignore[attr-defined]
            request, form.instance, change=rule is not None
        )
        context: dict[str, Any] = {"media": self.media}
        if all_valid(formsets) and is_valid:
            rows = {formset.model: formset.rows() for formset in formsets}
            conditions, payload = rows[RuleCondition], rows[RulePayload]
            context["sentence"] = form.instance.sentence(conditions, payload)
            declared = declared_rule(form.instance, conditions, payload)
            if declared is not None:
                context |= self._seen(request, declared, request.POST.get("preview_pk", ""))
        else:
            context["errors"] = list(_errors([form, *_forms(formsets)], formsets))
        return TemplateResponse(request, "admin/chatitive_django/eventrule/preview.html", context)

    def declared_view(self, request: HttpRequest) -> HttpResponse:
        """An event that code declares: where, how it reads, and the same preview."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        key = request.GET.get("key", "")
        declared = next((each for each in code_events() if each.key == key), None)
        if declared is None:
            raise Http404(_("Code declares no such event."))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
            "title": declared.event.name,
            "badge": mode_badge(declared.event.mode),
            "sentence": sentence(declared.event, declared.model),
            "where": declared.where,
            "file": file_of(declared),
            "key": key,
            "picked": request.GET.get("pk", ""),
            **self._seen(request, declared, request.GET.get("pk", "")),
        }
        return TemplateResponse(request, "admin/chatitive_django/eventrule/declared.html", context)

    def _seen(self, request: HttpRequest, declared: Declared, pk: str) -> dict[str, Any]:
        """The preview for the picked record, or for the latest that fits."""
        pk = pk.strip()
        instance = record(declared, pk) if pk else latest(declared)
        told = {"model": name_of(declared.model), "pk": pk}
        if instance is None and pk:
            return {"nobody": _("There is no %(model)s “%(pk)s”.") % told}
        if instance is None:
            return {"nobody": _("There is no %(model)s yet to try it on.") % told}
        whole = request.user.has_perm(VIEW_PAYLOAD)
        return {"seen": seen(preview(declared, instance), whole=whole)}


def seen(found: Preview, *, whole: bool) -> dict[str, Any]:
    """A preview for a template; values of the record only for those who may see them `whole`."""
    row, record = found.notification, found.instance
    identifier = row.subscriber_sid or row.phone_number or ""
    checks = [*found.states, *found.conditions]
    return {
        "badge": verdict_badge(found.verdict),
        "tone": TONES[found.verdict],
        "verdict": _verdict(found, found.verdict),
        "record": named(type(record), record.pk, record if whole else None),
        "checks": [
            (check_badge(check), check.text, check.problem, check.actual if whole else "")
            for check in checks
        ],
        "recipient": identifier if whole else mask(identifier),
        "flags": _flags(row),
        "event": row.event_name,
        "channel": row.channel,
        "payload": json.dumps(
            row.payload if whole else _hidden(row.payload), indent=2, ensure_ascii=False
        ),
        "is_built": row.status != Notification.Status.INVALID,
        "is_hidden": not whole,
        "warnings": found.warnings,
    }


TONES = {
    Verdict.SENDS: "good",
    Verdict.WAITS: "quiet",
    Verdict.CONDITION_FAILS: "quiet",
    Verdict.HELD_BACK: "busy",
    Verdict.INVALID: "bad",
}


def _verdict(found: Preview, verdict: Verdict) -> str:
    match verdict:
        case Verdict.SENDS:
            return _("If it happened to this record now, this message would be sent.")
        case Verdict.WAITS if found.verdict_in_state == Verdict.SENDS:
            return _("This record isn't in that state. Once it gets there, this would be sent:")
        case Verdict.WAITS:
            told = _verdict(found, found.verdict_in_state)
            return _("This record isn't in that state. %(otherwise)s") % {"otherwise": told}
        case Verdict.CONDITION_FAILS:
            return _("Nothing would be sent for this record: a condition doesn't hold.")
        case Verdict.HELD_BACK:
            return found.notification.reason_sentence
        case Verdict.INVALID:
            failed = next((check.problem for check in found.conditions if check.problem), "")
            return failed or found.notification.reason_sentence


def _flags(row: Notification) -> str:
    if row.subscribe_new:
        return _("People whom Chatitive doesn't know are added, and count as subscribed at once.")
    if row.allow_new:
        return _("People whom Chatitive doesn't know are added, unconfirmed.")
    return _("Nothing happens for people whom Chatitive doesn't know.")


def _hidden(payload: Any) -> Any:
    """The shape of a payload without its values."""
    if isinstance(payload, dict):
        return {key: _hidden(value) for key, value in payload.items()}
    return "…"


def _forms(formsets: list[Any]) -> list[Any]:
    return [
        form for formset in formsets for form in formset.forms if form not in formset.deleted_forms
    ]


def _errors(forms: list[Any], formsets: list[Any]) -> Any:
    """What has to be mended first, a sentence each with the name of its field."""
    for form in forms:
        for name, errors in form.errors.items():
            label = form.fields[name].label if name in form.fields else ""
            for error in errors:
                yield f"{capfirst(str(label))}: {error}" if label else str(error)
    for formset in formsets:
        yield from map(str, formset.non_form_errors())
