"""Why a record did or didn't fire: what is declared for it, what holds now, what the log has."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db import DatabaseError, DataError, transaction
from django.db.models import Model, Q
from django.utils.translation import gettext as _

from . import registry
from .capture.limits import HEARD
from .capture.transitions import rows_of
from .conf import did_you_mean
from .events import FOUND, OFF, PER_RECORD, PER_TRANSITION
from .exceptions import ChatitiveError, Unbuildable
from .excerpts import with_numbers_masked
from .gaps import Gap, History, gaps, moment
from .models import EventRule, Notification, log_alias
from .payloads import evaluate_as
from .preview import Check, Preview, Verdict, preview
from .registry import UNCONVERTIBLE, AnyModel, Declared, concrete
from .rules import declared_rule
from .sentences import field_phrase, name_of, sentence, value_phrase

Status = Notification.Status

LOOKED_AT = 1000
"""How many of a record's notifications are looked at, the newest first."""
TOLD = 20
"""How many of them are told."""
_LONGEST = 200


class NothingToExplain(ChatitiveError):
    """There is no such model or record, in words for the person who asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A notification of the record."""

    id: int
    event_key: str
    event_name: str
    recipient: str
    status: str
    reason: str
    origin: str
    why: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One event that code declares for the record, or one rule.

    `answer` is the one sentence that tells most. `states` are what its triggers lead to, `message`
    the recipient and what the message is made of; of a record that is gone, or that the person may
    not see, none is told.
    """

    key: str
    event_name: str
    where: str
    rule_id: int | None
    mode: str
    sentence: str
    problems: tuple[str, ...]
    answer: str
    gaps: tuple[Gap, ...] = ()
    states: tuple[Check, ...] = ()
    conditions: tuple[Check, ...] = ()
    message: tuple[Check, ...] = ()
    limits: tuple[Check, ...] = ()

    @property
    def checks(self) -> tuple[Check, ...]:
        return (*self.states, *self.conditions, *self.message, *self.limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All that can be told of one record; what was recorded has the newest first."""

    model: str
    pk: str
    name: str
    exists: bool
    events: tuple[Explained, ...]
    recorded: tuple[Recorded, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What the person who asks may see: whole phone numbers, and what the record holds."""

    whole: bool = False
    values: bool = True

    def shown(self, text: str) -> str:
        """A value of the record in so far as the person may see it."""
        if not self.values:
            return "…"
        if not self.whole:
            text = with_numbers_masked(text)
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"

    def checked(self, checks: Iterable[Check]) -> tuple[Check, ...]:
        return tuple(
            dataclasses.replace(check, actual=check.actual and self.shown(check.actual))
            for check in checks
        )


def explainable() -> list[AnyModel]:
    """The models for which something is declared, or may be by rules."""
    return [
        model
        for model in apps.get_models()
        if concrete(model) is model and (registry.declared(model) or registry.may_have_rules(model))
    ]


def model_named(label: str) -> AnyModel:
    """A model by its label in any case; raises `NothingToExplain`, which says what was meant."""
    try:
        return concrete(apps.get_model(label))
    except (LookupError, ValueError):
        pass
    name = label.rpartition(".")[2].lower()
    labels = [model._meta.label for model in explainable()]
    same = next((each for each in labels if each.rpartition(".")[2].lower() == name), None)
    hint = did_you_mean(same or label, labels) if labels else _("No model declares an event.")
    raise NothingToExplain(_("There is no model %(label)r.") % {"label": label} + " " + hint)


def explain(model: AnyModel, key: str, reader: Reader) -> Explanation:
    """What is known of a record by its key as people type it; nothing is written, nothing sent.

    Raises `NothingToExplain` where neither the database nor the log has such a record.
    """
    model = concrete(model)
    pk, instance = _found(model, key)
    sources = dict(source_keys(model, pk, instance))
    rows = _rows(sources)
    if instance is None and not rows:
        told = {"model": name_of(model), "key": key}
        text = _("There is no %(model)s with the key %(key)s, and the log has nothing about one.")
        raise NothingToExplain(text % told)
    rules = _rules(sources)
    compiled = {
        rule.pk: declared_rule(rule, rule.conditions.all(), rule.payload.all()) for rule in rules
    }
    in_place = [*registry.declared(model), *(each for each in compiled.values() if each)]
    history = History(
        rows[:LOOKED_AT],
        in_place,
        {rule.pk: rule for rule in rules},
        is_whole=len(rows) <= LOOKED_AT,
    )
    record = _Record(sources, instance is not None, history, reader)
    text = registry.key_text(model, pk)
    return Explanation(
        model=model._meta.label,
        pk=text,
        name=_name(instance, rows, reader, text),
        exists=instance is not None,
        events=(
            *(record.explained(each) for each in registry.declared(model)),
            *(record.explained_rule(rule, compiled[rule.pk]) for rule in rules),
        ),
        recorded=tuple(_recorded(row, reader) for row in rows[:TOLD]),
    )


def _found(model: AnyModel, key: str) -> tuple[Any, Model | None]:
    using = log_alias()
    try:
        pk = model._meta.pk.to_python(key)
        with transaction.atomic(using=using):
            return pk, rows_of(model, [pk], using).first()
    except (*UNCONVERTIBLE, DataError):
        told = {"model": name_of(model), "key": key}
        raise NothingToExplain(_("%(key)s is no key of a %(model)s.") % told) from None


def source_keys(model: AnyModel, pk: Any, instance: Model | None) -> Iterator[tuple[AnyModel, Any]]:
    """The model and its concrete parents, each with its own key of the record where it is known."""
    yield model, pk
    for parent in model._meta.all_parents:
        link = model._meta.get_ancestor_link(parent)
        if parent._meta.proxy or link is None:
            continue
        if instance is not None:
            yield parent, instance._get_pk_val(parent._meta)
        elif link.primary_key:
            yield parent, pk


def _rows(sources: Mapping[AnyModel, Any]) -> list[Notification]:
    asked = Q()
    for model, pk in sources.items():
        asked |= Q(
            source_model=model._meta.label_lower, source_id=registry.key_text(model, pk)[:255]
        )
    rows = Notification.objects.using(log_alias()).filter(asked).defer("payload")
    return list(rows.order_by("-id")[: LOOKED_AT + 1])


def _rules(sources: Mapping[AnyModel, Any]) -> list[EventRule]:
    rules = EventRule.objects.using(log_alias()).prefetch_related("conditions", "payload")
    return [
        rule
        for rule in rules.order_by("name")
        if (model := rule.model_class) is not None and concrete(model) in sources
    ]


def _name(instance: Model | None, rows: Sequence[Notification], reader: Reader, key: str) -> str:
    name = next((row.source_name for row in rows if row.source_name), "")
    if instance is not None and reader.values:
        try:
            name = str(evaluate_as("__str__", str, instance))
        except (Unbuildable, DatabaseError):
            return ""
    return name if reader.whole else with_numbers_masked(name, but=key)


class _Record:
    """A record as its events are explained one after the other."""

    def __init__(
        self, sources: Mapping[AnyModel, Any], exists: bool, history: History, reader: Reader
    ) -> None:
        self.sources = sources
        self.exists = exists
        self.is_hidden = exists and not reader.values
        self.history = history
        self.reader = reader

    def explained_rule(self, rule: EventRule, declared: Declared | None) -> Explained:
        problems = tuple(rule.problems())
        if declared is not None:
            return self.explained(declared, rule.name, problems)
        return Explained(
            key=rule.key,
            event_name=rule.event_name,
            where=rule.name,
            rule_id=rule.pk,
            mode=rule.mode,
            sentence=rule.sentence(),
            problems=problems,
            answer=_("It can't fire."),
        )

    def explained(
        self, declared: Declared, where: str = "", problems: tuple[str, ...] | None = None
    ) -> Explained:
        event = declared.event
        instance = self._instance(declared)
        seen = preview(declared, instance) if instance is not None else None
        missing = tuple(self._gaps(declared, instance))
        told = Explained(
            key=declared.key,
            event_name=event.name,
            where=where or declared.where,
            rule_id=declared.rule_id,
            mode=event.mode,
            sentence=sentence(event, declared.model),
            problems=tuple(event.problems()) if problems is None else problems,
            answer=self._answer(declared, seen, missing),
            gaps=missing,
        )
        if seen is None:
            return told
        return dataclasses.replace(
            told,
            states=self.reader.checked(seen.states),
            conditions=self.reader.checked(seen.conditions),
            message=tuple(_message(seen.notification, self.reader)),
            limits=tuple(self._limits(declared, seen.notification)),
        )

    def _instance(self, declared: Declared) -> Model | None:
        if not self.exists or self.is_hidden:
            return None
        return rows_of(declared.model, [self.sources[declared.owner]], log_alias()).first()

    def _gaps(self, declared: Declared, instance: Model | None) -> Iterable[Gap]:
        """What wasn't recorded tells what the record holds."""
        return () if self.is_hidden else gaps(declared, instance, self.history, self.reader.shown)

    def _answer(self, declared: Declared, seen: Preview | None, missing: Sequence[Gap]) -> str:
        if declared.event.mode == OFF:
            return _("It is off, so nothing is recorded.")
        if missing:
            return missing[0].text
        last = next(iter(self.history.of(declared)), None)
        if last is not None:
            return _("It fired on %(time)s: %(status)s.") % {
                "time": moment(last.created_at),
                "status": last.get_status_display(),
            } + (f" {last.reason_sentence}" if last.reason_sentence else "")
        match seen.verdict if seen is not None else None:
            case Verdict.WAITS:
                return _("It hasn't fired: the record isn't yet what it waits for.")
            case Verdict.CONDITION_FAILS:
                return _("It hasn't fired, and wouldn't now: a condition doesn't hold.")
            case None if self.is_hidden:
                return _("It never fired for this record. Those who may see the record learn why.")
            case None:
                return _("It never fired for this record.")
        return _("It hasn't fired: no such change has been made.")

    def _limits(self, declared: Declared, row: Notification) -> Iterator[Check]:
        """What `once` and `cooldown` would hold back now; the first that does speaks alone."""
        event = declared.event
        heard = [row for row in self.history.of(declared) if row.status in HEARD]
        passes = True if row.status == Status.PENDING else None
        held_back = {row.reason: False} if row.status == Status.SKIPPED else {}
        if event.once == PER_RECORD:
            told = {"time": moment(heard[0].created_at)} if heard else {}
            yield Check(
                text=_("It is sent once a record."),
                actual=_("It was on %(time)s.") % told if told else "",
                holds=held_back.get("once_per_record", passes),
            )
        if event.once == PER_TRANSITION:
            ways = dict.fromkeys(_why(row, self.reader) for row in heard)
            yield Check(text=_("Each change of a record is told once."), actual="; ".join(ways))
        if event.gap is not None:
            yield Check(
                text=_("At least %(gap)s between two for a person.") % {"gap": event.gap},
                holds=held_back.get("cooldown", passes),
            )


def _message(row: Notification, reader: Reader) -> Iterator[Check]:
    """Whether there is a recipient, and a message."""
    recipient = _recipient(row, reader)
    yield Check(text=_("There is a recipient."), actual=recipient, holds=bool(recipient))
    is_built = row.status != Status.INVALID
    yield Check(
        text=_("The message can be built."),
        holds=is_built,
        problem="" if is_built else row.reason_sentence,
    )


def _recipient(row: Notification, reader: Reader) -> str:
    return (row.subscriber_sid or row.phone_number or "") if reader.whole else row.masked_subscriber


def _recorded(row: Notification, reader: Reader) -> Recorded:
    return Recorded(
        id=row.pk,
        event_key=row.event_key,
        event_name=row.event_name,
        recipient=_recipient(row, reader),
        status=row.status,
        reason=row.reason_sentence,
        origin=row.origin,
        why=_why(row, reader),
        created_at=row.created_at,
    )


def _why(row: Notification, reader: Reader) -> str:
    """Why a notification was recorded, in few words: "status: Open → Success"."""
    kind, name = row.why.get("transition"), row.why.get("field")
    if kind is None:
        return _("by hand or by the project's own code")
    is_known = kind in EventRule.Trigger.values
    if not name or not (is_known or kind == FOUND):
        return str(EventRule.Trigger(kind).label if is_known else kind)
    model = apps.get_model(row.source_model)
    field = registry.field_named(model, name)
    old, new = (reader.shown(value_phrase(row.why.get(each), field)) for each in ("old", "new"))
    told = {"field": field_phrase(model, name), "old": old, "new": new}
    if kind == FOUND:
        return _("%(field)s: %(new)s already, when the rule went live") % told
    return _("%(field)s: %(old)s → %(new)s") % told
