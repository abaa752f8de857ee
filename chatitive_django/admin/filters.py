"""Filters whose choices come from code, rules and settings, never from a scan of the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings as project
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..attention import attention
from ..conf import InvalidSetting, settings
from ..models import EventRule, Notification
from ..reasons import sentence
from ..registry import declared
from ..subscribers import mask
from .kin import (
    FAILED_FOR,
    IN_BATCH,
    SAME_PERSON,
    SAME_RECORD,
    FailedFor,
    InBatch,
    SamePerson,
    SameRecord,
)

if TYPE_CHECKING:
    from django.contrib.admin.filters import _ListFilterChoices
    from django.contrib.admin.views.main import ChangeList

Choices = list[tuple[str, str]]

SPANS: dict[str, tuple[Promise, timedelta | None]] = {
    "1h": (gettext_lazy("The last hour"), timedelta(hours=1)),
    "24h": (gettext_lazy("The last 24 hours"), timedelta(hours=24)),
    "7d": (gettext_lazy("The last 7 days"), timedelta(days=7)),
    "30d": (gettext_lazy("The last 30 days"), timedelta(days=30)),
    "all": (gettext_lazy("All time"), None),
}
USUAL, ALL_TIME = "7d", "all"
FROM, UNTIL = "from", "until"
ATTENTION = "attention"
FINDS = frozenset({SEARCH_VAR, SAME_PERSON, SAME_RECORD, IN_BATCH})
"""What names the rows so closely that the whole log is looked through unless a time is chosen."""

ALLOWED = frozenset(
    {
        *("when", FROM, UNTIL, "status__exact", "event", "rule", "channel", "origin__exact"),
        *(SAME_PERSON, SAME_RECORD, FAILED_FOR, IN_BATCH),
    }
)
"""What a list's address may name. By any other column, people could find out, letter by letter,
the payloads and phone numbers that they may not see."""


class WhenFilter(admin.SimpleListFilter):
    """By the time: the last seven days unless another is chosen; a search looks in all of it.

    Days are typed in above the list: themes have no place for a form among their filters.
    """

    title = gettext_lazy("time")
    parameter_name = "when"

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any
    ) -> None:
        self.days = {name: params.pop(name)[-1] for name in (FROM, UNTIL) if name in params}
        self.is_search = _finds(request)
        self.kept = [
            (name, value)
            for name, values in request.GET.lists()
            for value in values
            if name not in {"when", FROM, UNTIL, PAGE_VAR}
        ]
        super().__init__(request, params, model, model_admin)

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(value, str(label)) for value, (label, _span) in SPANS.items()]

    def value(self) -> str:
        """The span that is in force, which nobody may have asked for; "" for days that were."""
        if any(self.days.values()):
            return ""
        return super().value() or (ALL_TIME if self.is_search else USUAL)

    @property
    def is_usual(self) -> bool:
        """Whether it hides what nobody asked to have hidden."""
        return self.value() == USUAL and not super().value()

    def choices(self, changelist: ChangeList) -> Iterator[_ListFilterChoices]:
        for value, label in self.lookup_choices:
            span = {self.parameter_name: value, FROM: None, UNTIL: None}
            yield {
                "selected": self.value() == value,
                "query_string": changelist.get_query_string(span),
                "display": label,
            }

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Notification]
    ) -> QuerySet[Notification]:
        if begin := self._day(FROM):
            queryset = queryset.filter(created_at__gte=_midnight(begin))
        if end := self._day(UNTIL):
            queryset = queryset.filter(created_at__lt=_midnight(end + timedelta(days=1)))
        if not (value := self.value()):
            return queryset
        if value not in SPANS:
            raise IncorrectLookupParameters(value)
        _label, span = SPANS[value]
        return queryset.filter(created_at__gte=timezone.now() - span) if span else queryset

    def _day(self, name: str) -> date | None:
        if not (text := self.days.get(name)):
            return None
        try:
            day = parse_date(text)
        except ValueError:
            day = None
        if day is None or not date.min < day < date.max - timedelta(days=1):
            raise IncorrectLookupParameters(text)
        return day


class Chosen(admin.SimpleListFilter):
    """By one column; shown where there is something to choose, or something is chosen."""

    column: str

    def offered(self, request: HttpRequest) -> Choices:
        """The choices, each a value and its label."""
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        offered = self.offered(request)
        chosen = self.value()
        if chosen and chosen not in dict(offered):
            return [*offered, (chosen, chosen)]
        return offered if chosen or len(offered) > 1 else []

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Notification]
    ) -> QuerySet[Notification]:
        return queryset.filter(**{self.column: self.value()}) if self.value() else queryset


class StatusFilter(Chosen):
    """By status, or all that somebody should look at."""

    title = gettext_lazy("status")
    parameter_name = "status__exact"
    column = "status"

    def offered(self, request: HttpRequest) -> Choices:
        statuses = [(value, str(label)) for value, label in Notification.Status.choices]
        return [(ATTENTION, _("needs attention")), *statuses]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Notification]
    ) -> QuerySet[Notification]:
        if self.value() == ATTENTION:
            return queryset.filter(attention())
        return super().queryset(request, queryset)


class EventFilter(Chosen):
    """By the events that code declares and rules name."""

    title = gettext_lazy("event")
    parameter_name = "event"
    column = "event_name"

    def offered(self, request: HttpRequest) -> Choices:
        return [(name, name) for name in sorted(events_known(request))]


class RuleFilter(Chosen):
    """By the rules that staff made."""

    title = gettext_lazy("rule")
    parameter_name = column = "rule"

    def offered(self, request: HttpRequest) -> Choices:
        return [(str(pk), name) for pk, name, _event in rules_named(request)]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return super().lookups(request, model_admin) or self.offered(request)

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Notification]
    ) -> QuerySet[Notification]:
        chosen = self.value() or "0"
        if not (chosen.isascii() and chosen.isdecimal() and len(chosen) < 19):
            raise IncorrectLookupParameters(chosen)
        return super().queryset(request, queryset)


class ChannelFilter(Chosen):
    """By channel."""

    title = gettext_lazy("channel")
    parameter_name = column = "channel"

    def offered(self, request: HttpRequest) -> Choices:
        try:
            return [(channel, channel) for channel in settings.API_URLS]
        except InvalidSetting:  # a check names it; the log must still be readable
            return []


class OriginFilter(Chosen):
    """By what had it recorded."""

    title = gettext_lazy("origin")
    parameter_name = "origin__exact"
    column = "origin"

    def offered(self, request: HttpRequest) -> Choices:
        return [(value, str(label)) for value, label in Notification.Origin.choices]


def events_known(request: HttpRequest) -> set[str]:
    """The events that code declares and rules name."""
    names = {each.event.name for model in apps.get_models() for each in declared(model)}
    return names | {event for _pk, _name, event in rules_named(request)}


def rules_named(request: HttpRequest) -> list[tuple[int, str, str]]:
    """The rules with their names and events, read once a request."""
    kept: dict[str, Any] = request.__dict__
    if "_chatitive_rules" not in kept:
        rules = EventRule.objects.order_by("name")
        kept["_chatitive_rules"] = list(rules.values_list("pk", "name", "event_name"))
    named: list[tuple[int, str, str]] = kept["_chatitive_rules"]
    return named


def in_force(request: HttpRequest) -> dict[str, str]:
    """The filter of the list as it may be kept; of a search that may name a person only the end."""
    told = {name: str(value) for name, value in request.GET.items() if value and name in ALLOWED}
    if term := request.GET.get(SEARCH_VAR, "").strip():
        told[SEARCH_VAR] = mask(term) if any(sign.isdigit() for sign in term) else term
    if not (_finds(request) or told.keys() & {"when", FROM, UNTIL}):
        told["when"] = USUAL
    return told


def _finds(request: HttpRequest) -> bool:
    return any(request.GET.get(name, "").strip() for name in FINDS)


def worded(told: Mapping[str, str]) -> str:
    """A filter that was kept, in words; a database may have kept it in any order."""
    others = (each.parameter_name for each in FILTERS if each is not WhenFilter)
    names = [SEARCH_VAR, *others, "when", FROM, UNTIL]
    return ", ".join(part for name in names if name in told and (part := _part(name, told[name])))


def _part(name: str, value: str) -> str:
    match name:
        case "q":
            return _("search for “%(term)s”") % {"term": value}
        case "when":
            label, span = SPANS.get(value, (value, None))
            return str(label) if span else ""
        case "from":
            return _("recorded from %(day)s") % {"day": _day_told(value)}
        case "until":
            return _("recorded until %(day)s") % {"day": _day_told(value)}
        case "status__exact" if value == ATTENTION:
            return _("needs attention")
        case "failed_for":
            return _("failed lately: %(cause)s") % {"cause": sentence(value)}
        case "rule":
            rule = EventRule.objects.filter(pk=value).first() if value.isdecimal() else None
            return _("rule “%(name)s”") % {"name": rule.name if rule else f"#{value}"}
    titles = {each.parameter_name: each.title for each in FILTERS}
    return f"{titles.get(name, name)} = {value}"


def _day_told(text: str) -> str:
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    return date_format(day) if day else text


def _midnight(day: date) -> datetime:
    begin = datetime.combine(day, time.min)
    return timezone.make_aware(begin) if project.USE_TZ else begin


FILTERS = (
    *(WhenFilter, StatusFilter, EventFilter, RuleFilter, ChannelFilter, OriginFilter),
    *(SamePerson, SameRecord, FailedFor, InBatch),
)
