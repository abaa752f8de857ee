"""The events in force: what code declares, and the rules that staff made, read now and then.

A process reads the rules when a write may need them and `RULES_REFRESH` seconds have passed: one
small query, and the rules themselves only where that tells of a change. Nothing here raises for a
rule that is wrong or a table that can't be read: a user's save goes on without.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any
from weakref import WeakSet

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Count, Max, QuerySet, Sum

from .conf import Settings, in_test_environment, settings
from .dbtime import become_writer
from .events import OFF, Event
from .exceptions import ChatitiveError, PathError, Unbuildable
from .models import EventRule, RuleCondition, RulePayload, faults, log_alias
from .payloads import paths_in
from .plans import Plan
from .registry import AnyModel, Declared, concrete, declared, may_have_rules

logger = logging.getLogger("chatitive_django")

Version = tuple[int, int | None, int | None, datetime | None]
"""The number of rules, the highest key, the sum of versions and the time of the latest: one of them
differs when a rule does."""


class InForce:
    """Rules as they were read once, with the plans that they and the code make."""

    def __init__(self, version: Version, rules: Mapping[AnyModel, list[Declared]]) -> None:
        self.version = version
        self._rules = rules
        self._plans: dict[AnyModel, tuple[tuple[Declared, ...], Plan | None]] = {}

    def plan(self, model: AnyModel) -> Plan | None:
        """The plan for a concrete model; `None` where nothing is in force for its rows."""
        code = declared(model)
        known = self._plans.get(model)
        if known is None or known[0] is not code:
            live = [each for each in code if each.event.mode != OFF]
            for owner in (model, *model._meta.all_parents):
                live += self._rules.get(owner, ())
            known = self._plans[model] = (code, Plan(model, live) if live else None)
        return known[1]


NO_RULES = InForce((0, None, None, None), {})


def plan_for(model: AnyModel) -> Plan | None:
    """What is in force for an instance's class; `None` where that is nothing."""
    model = concrete(model)
    in_force = _in_force() if may_have_rules(model) else NO_RULES
    return in_force.plan(model)


def declared_by_key(model_label: str, key: str) -> Declared | None:
    """The declaration or rule that a log row names, if it still stands."""
    try:
        plan = plan_for(apps.get_model(model_label))
    except (LookupError, ValueError):
        return None
    return next((each for each in plan.declared if each.key == key), None) if plan else None


class _Shared:
    """The rules as the threads of this process share them: committed ones only."""

    in_force: InForce | None = None
    until = 0.0


_writing: WeakSet[BaseDatabaseWrapper] = WeakSet()
"""The connections whose open transaction may have written rules."""


def _in_force() -> InForce:
    if _writing and _has_written(connection := connections[log_alias()]):
        return _read(connection.alias, None)
    known = _Shared.in_force
    is_test = in_test_environment()
    if known is not None and _is_fresh(known, is_test=is_test):
        return known
    using = log_alias()
    if connections[using].needs_rollback:  # the save that asks will fail anyhow
        return known or NO_RULES
    # Before the read, so that other threads don't read too; without a lock, which a fork could
    # leave held for ever.
    _Shared.until = monotonic() + _refresh()
    _Shared.in_force = found = _read(using, None if is_test else known)
    return found


def _is_fresh(known: InForce, *, is_test: bool) -> bool:
    """Whether nothing has to be read: by the clock, but in tests never by the clock.

    There rules are read at every save. Where there are none nothing is read until some are
    written, so that a test counts the queries that production will make.
    """
    if is_test:
        return known is NO_RULES and _Shared.until > 0
    return monotonic() < _Shared.until


def _refresh() -> float:
    try:
        return settings.RULES_REFRESH
    except ImproperlyConfigured:  # a check tells
        return Settings.RULES_REFRESH.parse(Settings.RULES_REFRESH.default)


class _Written:
    """Notes on the open transaction that it wrote rules; gone with it, or with its savepoint."""

    def __init__(self, using: str) -> None:
        self._using = using

    def __call__(self) -> None:
        if not connections[self._using].in_atomic_block:  # a test may call it before the commit
            _Shared.until = 0.0


def on_rules_written(using: str, **kwargs: Any) -> None:
    """Have the open transaction read its own rules, and the process once it is committed."""
    _writing.add(connections[using])
    transaction.on_commit(_Written(using), using=using, robust=True)


def on_migrated(using: str, **kwargs: Any) -> None:
    """Know of the rules that migrations made, or that a test's end has swept away."""
    if using == log_alias():
        _Shared.until = 0.0
        if in_test_environment():
            _in_force()


def _has_written(connection: BaseDatabaseWrapper) -> bool:
    if connection not in _writing:
        return False
    if any(isinstance(entry[1], _Written) for entry in connection.run_on_commit):
        return True
    _writing.discard(connection)
    return False


def _read(using: str, known: InForce | None) -> InForce:
    """The rules that are stored; those known before where they can't be read."""
    try:
        with _apart(using):
            return _stored(using, known)
    except Error as error:
        if _has_no_table(using):
            return NO_RULES
        logger.error(
            "The rules could not be read (%s): those read before stay in force.",
            type(error).__name__,
        )
        return _Shared.in_force or NO_RULES


def _apart(using: str) -> AbstractContextManager[Any]:
    """A savepoint where a transaction is open: a query that fails must not spoil it."""
    connection = connections[using]
    if not connection.in_atomic_block and connection.get_autocommit():
        return nullcontext()
    return transaction.atomic(using=using)


def _has_no_table(using: str) -> bool:
    try:
        with _apart(using):
            tables = connections[using].introspection.table_names()
    except Error:
        return False
    return EventRule._meta.db_table not in tables


def _stored(using: str, known: InForce | None) -> InForce:
    connection = connections[using]
    if connection.in_atomic_block:
        become_writer(EventRule, using)
    version = _version(using)
    for _attempt in range(3):
        if version == NO_RULES.version:
            return NO_RULES
        if known is not None and known.version == version:
            return known
        rules = _compiled(using)
        # A rule and its rows are read one after the other: whoever saves in between is noticed.
        before, version = version, _version(using)
        if version == before:
            break
    return InForce(version, rules)


def _version(using: str) -> Version:
    found = _rows(using).aggregate(
        number=Count("pk"), highest=Max("pk"), versions=Sum("version"), latest=Max("edited_at")
    )
    return found["number"], found["highest"], found["versions"], found["latest"]


def _rows(using: str) -> QuerySet[EventRule]:
    return QuerySet(model=EventRule, using=using)


def _compiled(using: str) -> dict[AnyModel, list[Declared]]:
    found: dict[AnyModel, list[Declared]] = {}
    rules = _rows(using).exclude(mode=OFF).prefetch_related("conditions", "payload")
    for rule in rules.order_by("pk"):
        if each := declared_rule(rule, rule.conditions.all(), rule.payload.all()):
            found.setdefault(each.owner, []).append(each)
    return found


def declared_rule(
    rule: EventRule, conditions: Iterable[RuleCondition], payload: Iterable[RulePayload]
) -> Declared | None:
    """A rule as code would declare it, stored or not; `None` where it can never fire."""
    model = rule.model_class
    if model is None or not faults.may_fire(rule, model):
        return None
    place = f"rule {rule.name!r}"
    event = _event(rule, model, place, list(conditions), payload)
    return Declared(event, model, where=place, rule_id=rule.pk)


def _event(
    rule: EventRule,
    model: AnyModel,
    place: str,
    rows: list[RuleCondition],
    payload: Iterable[RulePayload],
) -> Event:
    """The event of a rule; where it can't be built, one that is recorded with the reason."""
    try:
        conditions = [row.as_condition(model) for row in rows]
        _refuse_what_is_not_offered(model, [condition.path for condition in conditions])
    except ChatitiveError as error:
        return rule.event(phone_number=_Refusal(f"{place}: {error}"))
    try:
        event = rule.as_event(rows, payload)
        sources = (event.phone_number, event.subscriber_sid, event.payload)
        _refuse_what_is_not_offered(model, [path for each in sources for path in paths_in(each)])
    except ChatitiveError as error:
        return rule.event(only_if=conditions, phone_number=_Refusal(f"{place}: {error}"))
    return event


def _refuse_what_is_not_offered(model: AnyModel, paths: Iterable[str]) -> None:
    """Keep a rule from what the project doesn't offer, or no more, however it was stored."""
    for path in paths:
        if text := faults.not_offered(model, path):
            raise PathError(text)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Stands for the subscriber of a rule that can't be built."""

    explanation: str

    def __call__(self, instance: object) -> None:
        raise Unbuildable("bad_declaration", self.explanation)
