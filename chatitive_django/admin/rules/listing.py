"""The list: rules as sentences with what they did lately, and code's events beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ...models import EventRule, Notification
from ...registry import Declared, declared
from ...sentences import sentence
from ..badges import mode_badge, noted
from ..moments import moment
from .counts import Lately, lately

if TYPE_CHECKING:
    _RuleAdmin = admin.ModelAdmin[EventRule]
else:  # Django's own classes take no type arguments when they run
    _RuleAdmin = admin.ModelAdmin

QUIET_DAYS = 30


class NeverFired(admin.SimpleListFilter):
    """Rules that nothing has come of for so long that someone should look at them."""

    title = gettext_lazy("when it fired")
    parameter_name = "fired"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("lately", _("in the last %(days)s days") % {"days": QUIET_DAYS}),
            ("never", _("never in %(days)s days") % {"days": QUIET_DAYS}),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[EventRule]) -> QuerySet[EventRule]:
        recent = Exists(
            Notification.objects.filter(
                rule=OuterRef("pk"), created_at__gte=now() - timedelta(days=QUIET_DAYS)
            )
        )
        match self.value():
            case "lately":
                return queryset.filter(recent)
            case "never":
                return queryset.filter(~recent)
        return queryset


class RuleList(ChangeList):
    """A page of the list, with all that its columns need."""

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: Any = None
    ) -> QuerySet[EventRule]:
        rules: QuerySet[EventRule] = super().get_queryset(request, exclude_parameters)
        latest = Notification.objects.filter(rule=OuterRef("pk")).order_by("-created_at")
        return (
            rules.select_related("edited_by")
            .prefetch_related("conditions", "payload")
            .annotate(fired_at=Subquery(latest.values("created_at")[:1]))
        )


@dataclass(frozen=True, eq=False)
class Counted:
    """The column of the counts, which one query gives for the whole page."""

    counts: Lately
    short_description: str
    __name__: ClassVar[str] = "lately"

    def __call__(self, rule: EventRule) -> SafeString:
        return self.counts.bar(rule.key)


class Listing(_RuleAdmin):
    """The list."""

    list_filter = ("mode", NeverFired)
    list_display = ("badge", "told", "fired", "edited")
    list_display_links = None
    list_per_page = 100
    search_fields = ("name", "event_name", "model")
    search_help_text = gettext_lazy("A part of the name, the event or the model")
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ("badge", "told", "fired", "edited")
    show_add_link = True  # Unfold asks for it
    change_list_template = "admin/chatitive_django/eventrule/change_list.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RuleList

    def get_list_display(self, request: HttpRequest) -> Any:
        return ["badge", "told", _counted(request), "fired", "edited"]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        counts = _counted(request).counts
        context = {
            "code_events": lambda: list(self._code_events(counts)),
            "counted_since": moment(counts.since) if counts.since else "",
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    @admin.display(description=gettext_lazy("mode, event"), ordering="event_name")
    def badge(self, rule: EventRule) -> SafeString:
        return format_html("{}{}", mode_badge(rule.mode), noted(rule.event_name))

    @admin.display(description=gettext_lazy("rule"), ordering="name")
    def told(self, rule: EventRule) -> SafeString:
        """The sentence, which leads to the rule; below it its name and what is wrong with it."""
        words = rule.sentence()
        url = reverse(
            "admin:chatitive_django_eventrule_change",
            args=[rule.pk],
            current_app=self.admin_site.name,
        )
        return format_html(
            '<a href="{}">{}</a>{}{}',
            url,
            words,
            noted(rule.name) if words != rule.name else "",
            problem_list(rule.problems()),
        )

    @admin.display(description=gettext_lazy("last fired"), ordering="fired_at")
    def fired(self, rule: EventRule) -> str:
        return moment(getattr(rule, "fired_at", None))

    @admin.display(description=gettext_lazy("edited"), ordering="edited_at")
    def edited(self, rule: EventRule) -> str:
        who = noted(str(rule.edited_by)) if rule.edited_by else ""
        return format_html("{}{}", moment(rule.edited_at), who)

    def _code_events(self, counts: Lately) -> Iterator[dict[str, Any]]:
        url = reverse("admin:chatitive_django_eventrule_declared", current_app=self.admin_site.name)
        for each in code_events():
            yield {
                "badge": mode_badge(each.event.mode),
                "sentence": sentence(each.event, each.model),
                "name": each.event.name,
                "bar": counts.bar(each.key),
                "last": moment(counts.of(each.key).last),
                "where": each.where,
                "file": file_of(each),
                "url": f"{url}?{urlencode({'key': each.key})}",
            }


def _counted(request: HttpRequest) -> Counted:
    """The counts, read once a request: Django asks for the columns several times."""
    known: Counted | None = getattr(request, "_chatitive_counted", None)
    if known is None:
        known = Counted(lately(), _("last 7 days"))
        request._chatitive_counted = known  # type: ignore[attr-defined]
    return known


def problem_list(problems: list[str]) -> SafeString:
    """What is wrong, a line each; empty where nothing is."""
    if not problems:
        return SafeString("")
    lines = format_html_join("", "<li>{}</li>", ((text,) for text in problems))
    return format_html('<ul class="chatitive-problems">{}</ul>', lines)


def code_events() -> list[Declared]:
    """What code declares, each event once, by the model that emits it."""
    found = {
        each.key: each
        for model in apps.get_models()
        if not model._meta.proxy
        for each in declared(model)
        if each.owner is model
    }
    return list(found.values())


def file_of(each: Declared) -> str:
    """The module that declares an event, as a file of the project: "helpdesk/models.py"."""
    return each.model.__module__.replace(".", "/") + ".py"
