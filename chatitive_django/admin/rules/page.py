"""The pages of the rules that staff make: list, form in two steps, preview, going live."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ...models import ChangedMeanwhile, EventRule, RuleCondition, RulePayload
from ...registry import AnyModel
from ...sentences import name_of
from ..badges import mode_badge
from ..guarded import Guarded
from .forms import (
    SUBSCRIBE_NEW,
    ConditionForm,
    FirstStep,
    PayloadForm,
    PayloadRows,
    Rows,
    RuleForm,
    condition_text,
)
from .history import SENTENCE, difference, told
from .listing import Listing
from .modes import Modes
from .previews import VIEW_PAYLOAD, Previews
from .samples import Samples
from .transitions import seen
from .values import shown_json

if TYPE_CHECKING:
    _RowsInline = admin.TabularInline[Any, EventRule]
else:  # Django's own classes take no type arguments when they run
    _RowsInline = admin.TabularInline

FIELDSETS: list[tuple[Any, dict[str, Any]]] = [
    (None, {"fields": ["name", "model"]}),
    (
        gettext_lazy("When"),
        {"fields": ["trigger", "field", "from_values", "to_values", "on_create"]},
    ),
    (gettext_lazy("What is sent"), {"fields": ["event_name", "channel"]}),
    (gettext_lazy("To whom"), {"fields": ["phone_number", "subscriber_sid"]}),
    (
        gettext_lazy("People whom Chatitive doesn't know"),
        {"fields": ["allow_new", "subscribe_new"]},
    ),
    (
        gettext_lazy("Limits"),
        {
            "fields": ["once", "cooldown", "expires_after", "ordered", "on_ambiguous"],
            "classes": ["collapse"],
        },
    ),
]
COPIED = [name for _title, options in FIELDSETS for name in options["fields"] if name != "name"]


class RowsInline(_RowsInline):
    """Rows of a rule; whoever may change the rule may change them."""

    formset = Rows
    extra = 1

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, obj)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(self._page.has_view_permission(request, obj))

    @property
    def _page(self) -> Any:
        return self.admin_site.get_model_admin(EventRule)

    def _may(self, request: HttpRequest, obj: EventRule | None) -> bool:
        if obj is None or obj.pk is None:
            return bool(self._page.has_add_permission(request))
        return bool(self._page.has_change_permission(request, obj))

    def get_extra(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> int:
        original = original_of(request) if obj is None else None
        return self.extra + (self._rows_of(original).count() if original else 0)

    def _rows_of(self, rule: EventRule) -> Any:
        return self.model._default_manager.filter(rule=rule)

    def copies(self, rule: EventRule) -> list[dict[str, Any]]:
        """The rows of a rule as a form takes them, for a duplicate."""
        raise NotImplementedError


class ConditionInline(RowsInline):
    model = RuleCondition
    form = ConditionForm
    verbose_name = gettext_lazy("condition")
    verbose_name_plural = gettext_lazy("Only if all of these hold")

    def copies(self, rule: EventRule) -> list[dict[str, Any]]:
        return [
            {
                "path": row.path,
                "operator": row.operator,
                "value": condition_text(row, rule.model_class),
            }
            for row in self._rows_of(rule)
        ]


class PayloadInline(RowsInline):
    model = RulePayload
    form = PayloadForm
    formset = PayloadRows
    verbose_name = gettext_lazy("value")
    verbose_name_plural = gettext_lazy("What the message can tell (the payload)")

    def copies(self, rule: EventRule) -> list[dict[str, Any]]:
        return [
            {
                "key": row.key,
                "path": row.path,
                "constant": shown_json(row.constant),
                "fallback": shown_json(row.fallback),
            }
            for row in self._rows_of(rule)
        ]


class EventRuleAdmin(Guarded, Modes, Previews, Listing):
    """Rules as sentences: made in two steps, previewed, watched, and then made live."""

    form = RuleForm
    inlines = (ConditionInline, PayloadInline)
    save_on_top = False
    change_form_template = "admin/chatitive_django/eventrule/change_form.html"

    class Media:
        css = {"all": ("chatitive_django/admin.css",)}
        js = ("chatitive_django/rules.js",)

    # Who may do what

    def has_change_permission(self, request: HttpRequest, obj: EventRule | None = None) -> bool:
        """A live rule sends what it is changed to: that takes the permission to make it live."""
        may = super().has_change_permission(request, obj)
        return may and (obj is None or not _is_live(obj) or self.may_activate(request))

    # The two steps

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """First the name and the model, by GET, so that nothing half made is ever stored."""
        if request.method == "POST" or original_of(request) is not None:
            return super().add_view(request, form_url, extra_context)
        if not self.has_add_permission(request):
            raise PermissionDenied
        is_given = "name" in request.GET or "model" in request.GET
        first = FirstStep(request.GET if is_given else None)
        if is_given and first.is_valid():
            return super().add_view(request, form_url, extra_context)
        context = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "opts": self.opts,
            "title": _("Add a rule"),
            "form": first,
            "media": self.media,
        }
        return TemplateResponse(
            request, "admin/chatitive_django/eventrule/first_step.html", context
        )

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        original = original_of(request)
        if original is None:
            return {name: request.GET[name] for name in ("name", "model") if name in request.GET}
        found = {name: getattr(original, name) for name in COPIED}
        if not request.user.has_perm(SUBSCRIBE_NEW):
            found["subscribe_new"] = False
        return found | {"name": _free_name(original.name)}

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        sections = [(title, dict(options)) for title, options in FIELDSETS]
        if obj and self.has_change_permission(request, obj):
            sections[0][1]["fields"] = ["name", "model", "seen_version"]
        if obj is None or self.has_change_permission(request, obj):
            when = sections[1][1]
            when["fields"] = [*when["fields"], "seen_lately"]
        return sections

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.about = about(request, obj)
        form.samples = _samples(request, form.about)
        form.may_subscribe_new = request.user.has_perm(SUBSCRIBE_NEW)
        if form.about is not None:
            whole = request.user.has_perm(VIEW_PAYLOAD)
            form.transitions = partial(seen, form.about, whole=whole)
        return form

    def get_formset_kwargs(
        self, request: HttpRequest, obj: Any, inline: Any, prefix: str
    ) -> dict[str, Any]:
        kwargs: dict[str, Any] = super().get_formset_kwargs(request, obj, inline, prefix)
        original = original_of(request)
        if request.method == "GET" and original is not None and obj.pk is None:
            kwargs["initial"] = inline.copies(original)
        return kwargs

    def get_formsets_with_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        model = about(request, obj)
        for formset, inline in super().get_formsets_with_inlines(request, obj):
            formset.form.about = model
            formset.form.samples = _samples(request, model)
            yield formset, inline

    # Saving

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except ChangedMeanwhile as error:
            messages.error(request, str(error))
        except IntegrityError:
            text = _(
                "It wasn't saved: its name, or a key of its payload, is one that the database has "
                "already."
            )
            messages.error(request, text)
        return HttpResponseRedirect(request.get_full_path())

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        if change:  # one that is gone by now is refused when it is saved
            stored = EventRule.objects.filter(pk=form.instance.pk)
            form.before = next(map(told, stored), {})
        return super().save_form(request, form, change)

    def save_model(self, request: HttpRequest, obj: EventRule, form: Any, change: bool) -> None:
        obj.edited_by_id = request.user.pk
        if not change:
            obj.created_by_id = request.user.pk
            obj.mode = EventRule.Mode.WATCH
        super().save_model(request, obj, form, change)

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        """The rule as a sentence; of a change, before and after."""
        after = told(EventRule.objects.get(pk=form.instance.pk))
        if add:
            return after[SENTENCE]
        changed = difference(form.before, after)
        return changed or super().construct_change_message(request, form, formsets, add)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: EventRule | None = None,
    ) -> Any:
        stored = EventRule.objects.filter(pk=obj.pk).first() if obj is not None else None
        model = about(request, obj)
        may_edit = self.has_change_permission(request, stored) if stored else True
        context |= {
            "about": name_of(model) if model else "",
            "stored": stored,
            "may_preview": may_edit,
        }
        if stored is not None:
            may_stop = self.may_stop(request, stored)
            context |= {
                "badge": mode_badge(stored.mode),
                "sentence": stored.sentence(),
                "problems": stored.problems(),
                "mode_text": MODE_TEXTS.get(stored.mode, ""),
                "may_go_live": may_stop and self.may_activate(request) and not _is_live(stored),
                "may_stop": may_stop,
                "must_ask": may_stop and not may_edit,
                "may_duplicate": self.has_add_permission(request),
            }
        return super().render_change_form(request, context, add, change, form_url, obj)


MODE_TEXTS: dict[str, Promise] = {
    EventRule.Mode.LIVE: gettext_lazy("It sends messages."),
    EventRule.Mode.WATCH: gettext_lazy(
        "It sends nothing: what it would send is recorded, so that you can look at it first."
    ),
    EventRule.Mode.OFF: gettext_lazy("It does nothing."),
}


def _is_live(rule: EventRule) -> bool:
    return rule.mode == EventRule.Mode.LIVE


def original_of(request: HttpRequest) -> EventRule | None:
    """The rule of which a duplicate is to be made."""
    pk = request.GET.get("copy", "")
    return EventRule.objects.filter(pk=int(pk)).first() if pk.isdecimal() and len(pk) < 19 else None


def about(request: HttpRequest, rule: EventRule | None) -> AnyModel | None:
    """The model that the form is about."""
    if rule is not None and rule.pk:
        return rule.model_class
    original = original_of(request)
    label = request.POST.get("model") or (original.model if original else request.GET.get("model"))
    return EventRule(model=label or "").model_class


def _samples(request: HttpRequest, model: AnyModel | None) -> Samples:
    """Sample values, read once a request, for those who may see such values."""
    known: Samples | None = getattr(request, "_chatitive_samples", None)
    if known is None:
        known = Samples(model if request.user.has_perm(VIEW_PAYLOAD) else None)
        request._chatitive_samples = known  # type: ignore[attr-defined]
    return known


def _free_name(name: str) -> str:
    """A name for a duplicate that no rule has."""
    for number in range(2, 1000):
        found = _("%(name)s (copy %(number)s)") % {"name": name[:180], "number": number}
        if number == 2:
            found = _("%(name)s (copy)") % {"name": name[:180]}
        if not EventRule.objects.filter(name=found).exists():
            return found
    return ""
