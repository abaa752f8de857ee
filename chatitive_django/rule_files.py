"""Rules as a file that is kept in git: written in a stable order, read back whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

from django.db import IntegrityError, models, transaction
from django.utils.dateparse import parse_duration

from .conf import did_you_mean
from .dbtime import become_writer
from .events import differs
from .exceptions import ChatitiveError, Unbuildable
from .models import EventRule, RuleCondition, RulePayload, log_alias
from .payloads import plain
from .registry import AnyField

FORMATS = JSON, YAML = "json", "yaml"

Part: TypeAlias = RuleCondition | RulePayload

ALWAYS_TOLD = frozenset({"name", "model", "trigger", "event_name", "mode"})
"""Columns that a file names even where they hold their default."""

NOT_IN_FILES = frozenset({"id", "version", "created_at", "created_by", "edited_at", "edited_by"})
"""Columns that tell of one database and its people, not of the rule."""


class UnusableFile(ChatitiveError):
    """A file of rules that can't be taken as it is; `problems` has a sentence for each reason."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Difference:
    """One column of a rule before and after, or one of its rows, as files tell them.

    Where there was or will be no such row, it is `None`.
    """

    place: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class RuleChange:
    """What a file would do to one rule: nothing, where there are no differences."""

    name: str
    sentence: str
    is_new: bool
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Import:
    """What a file did, or would do."""

    rules: tuple[RuleChange, ...]
    left: tuple[str, ...]
    """The names of stored rules that the file doesn't have; they stay as they are."""

    @property
    def changes(self) -> bool:
        return any(rule.is_new or rule.differences for rule in self.rules)


# To a file


def dump(rules: Iterable[EventRule], file_format: str) -> str:
    """Rules as text, sorted throughout: the same rules give the same text in every database."""
    told = {"rules": [_as_told(rule) for rule in sorted(rules, key=lambda rule: rule.name)]}
    if file_format == YAML:
        return str(_yaml().safe_dump(told, sort_keys=False, allow_unicode=True, width=100))
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def _as_told(rule: EventRule) -> dict[str, Any]:
    """A stored rule as a file has it: what is at its default is left out."""
    rows = {
        name: [told for _place, told in sorted(_rows(name, each).items())]
        for name, each in _rows_of(rule).items()
    }
    return _columns(rule) | {name: each for name, each in rows.items() if each}


def _columns(row: models.Model) -> dict[str, Any]:
    found = {}
    for field in _fields(type(row)):
        value = getattr(row, field.attname)
        if field.name in ALWAYS_TOLD or value != field.get_default():
            found[field.name] = _told(value)
    return found


def _told(value: Any) -> Any:
    return str(value) if isinstance(value, timedelta) else value


def _fields(model: type[models.Model]) -> list[AnyField]:
    return [
        field
        for field in model._meta.concrete_fields
        if field.name not in NOT_IN_FILES and not field.is_relation
    ]


def _rows_of(rule: EventRule) -> dict[str, Iterable[Part]]:
    return {"conditions": rule.conditions.all(), "payload": rule.payload.all()}


def _rows(name: str, rows: Iterable[Part]) -> dict[str, dict[str, Any]]:
    """Rows as a file has them, by what tells one from another."""
    return {_place(name, row): _columns(row) for row in rows}


def _place(name: str, row: Part) -> str:
    if isinstance(row, RulePayload):
        return f"{name} {row.key}"
    return f"{name} {row.path} {row.operator} {json.dumps(row.value, ensure_ascii=False)}"


# From a file


def load(text: str, file_format: str) -> list[FileRule]:
    """The rules of a file; raises `UnusableFile` where it can't be read, or a rule is wrong."""
    document = _parsed(text, file_format)
    if not isinstance(document, dict) or not isinstance(document.get("rules"), list):
        raise UnusableFile(['It has no list of "rules": an export shows how it is written.'])
    problems = [
        f'{key!r} is nothing that a file has beside "rules".' for key in document if key != "rules"
    ]
    found: dict[str, FileRule] = {}
    for number, given in enumerate(document["rules"], start=1):
        try:
            rule = _read(given, number)
        except UnusableFile as error:
            problems += error.problems
            continue
        name = rule.rule.name
        if name in found:
            problems.append(f"Rule {name!r}: the file has it twice.")
        found[name] = rule
        problems += [f"Rule {name!r}: {text}" for text in rule.problems()]
    if problems:
        raise UnusableFile(problems)
    return list(found.values())


def _parsed(text: str, file_format: str) -> Any:
    try:
        if file_format == JSON:
            return json.loads(text, object_pairs_hook=_mapping)
        return _yaml_of(text)
    except ValueError as error:
        raise UnusableFile([f"It is no {file_format.upper()}: {error}."]) from None
    except RecursionError:
        raise UnusableFile(["It is nested too deeply."]) from None


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_twice(key for key, _value in pairs)
    return dict(pairs)


def _yaml_of(text: str) -> Any:
    yaml = _yaml()
    safe: Any = yaml.SafeLoader

    class Loader(safe):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            _refuse_twice(str(key.value) for key, _value in node.value)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _refuse_twice(keys: Iterable[str]) -> None:
    """Refuse two values for one key, of which JSON and YAML take the last."""
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise ValueError(f"{key!r} is there twice in one mapping")
        seen.add(key)


def _yaml() -> Any:
    try:
        import yaml
    except ImportError:
        raise UnusableFile(
            ["YAML needs PyYAML: pip install 'chatitive-django[yaml]', or use JSON."]
        ) from None
    return yaml


@dataclass(frozen=True, slots=True)
class FileRule:
    """A rule of a file with its rows, none of them stored."""

    rule: EventRule
    conditions: list[RuleCondition]
    payload: list[RulePayload]

    def problems(self) -> list[str]:
        return self.rule.problems(self.conditions, self.payload)

    def sentence(self) -> str:
        return self.rule.sentence(self.conditions, self.payload)

    def belong_to(self, rule: EventRule) -> None:
        """Have the rows name their rule."""
        parts: list[Part] = [*self.conditions, *self.payload]
        for row in parts:
            row.rule = rule


def _read(given: Any, number: int) -> FileRule:
    name = given.get("name") if isinstance(given, dict) else None
    place = f"Rule {name!r}" if name and isinstance(name, str) else f"Rule number {number}"
    reader = _Reader(place)
    rows: dict[str, Any] = {"conditions": [], "payload": []}
    if isinstance(given, dict):
        rows |= {key: value for key, value in given.items() if key in rows}
        given = {key: value for key, value in given.items() if key not in rows}
    values = reader.values(EventRule, given, "", also=rows)
    if not values.get("name", "").strip():
        reader.problems.append(f"{place}: it has no name.")
    read = FileRule(
        EventRule(**values),
        [RuleCondition(**each) for each in reader.rows(RuleCondition, rows, "conditions")],
        [RulePayload(**each) for each in reader.rows(RulePayload, rows, "payload")],
    )
    if reader.problems:
        raise UnusableFile(reader.problems)
    read.belong_to(read.rule)
    return read


class _Reader:
    """Takes what one rule of a file says, and notes what can't be a rule's."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.problems: list[str] = []

    def rows(self, model: type[models.Model], given: Mapping[str, Any], name: str) -> Iterator[Any]:
        if not isinstance(given[name], list):
            self._note(f"{name} must be a list.")
            return
        for number, row in enumerate(given[name], start=1):
            yield self.values(model, row, f"{name}, number {number}: ")

    def values(
        self, model: type[models.Model], given: Any, place: str, also: Iterable[str] = ()
    ) -> dict[str, Any]:
        """The columns that are given, each of its column's kind."""
        if not isinstance(given, dict):
            self._note(f"{place}it must be a mapping of names to values.")
            return {}
        fields = {field.name: field for field in _fields(model)}
        found = {}
        for name, value in given.items():
            if name in fields:
                try:
                    found[name] = _value(fields[name], plain(value, name))
                except (Unbuildable, ValueError) as error:
                    self._note(f"{place}{name}: {error}")
            else:
                hint = did_you_mean(str(name), [*fields, *also])
                self._note(f"{place}it has no {name!r}. {hint}")
        return found

    def _note(self, text: str) -> None:
        self.problems.append(f"{self.place}: {text}")


def _value(field: AnyField, given: Any) -> Any:
    """What is given as the column takes it; raises `ValueError` with what it takes."""
    match field:
        case models.JSONField():
            if given is not None and isinstance(field.get_default(), list):
                return _of(list, given, "a list")
            return given
        case models.BooleanField():
            return _of(bool, given, "true or false")
        case models.DurationField():
            return _duration(given)
    return _of(str, given, "text")


def _of(kind: type, given: Any, told: str) -> Any:
    if not isinstance(given, kind):
        raise ValueError(f"it must be {told}, and it is {given!r}.")
    return given


def _duration(given: Any) -> timedelta | None:
    if given is None:
        return None
    if isinstance(given, (int, float)) and not isinstance(given, bool) and abs(given) < 1e9:
        return timedelta(seconds=given)
    try:
        found = parse_duration(given) if isinstance(given, str) else None
    except OverflowError:
        found = None
    if found is None:
        raise ValueError(f'it must be a span of time as in "1 day, 2:30:00", and it is {given!r}.')
    return found


# Into the database


def bring_in(rules: Sequence[FileRule], *, write: bool) -> Import:
    """Make the stored rules of the same names what the file says; all of them, or none.

    Rules that the file doesn't have stay as they are. Unless `write`, it takes all of it back again
    and only tells. Raises `UnusableFile` where the database refuses a rule.
    """
    using = log_alias()
    with transaction.atomic(using=using):
        become_writer(EventRule, using)
        found = EventRule.objects.using(using).select_for_update().order_by("pk")
        stored = {rule.name: rule for rule in found.prefetch_related("conditions", "payload")}
        changes = []
        for read in rules:
            before = stored.pop(read.rule.name, None)
            change = _compared(read, before)
            changes.append(change)
            if change.is_new or change.differences:
                _store(read, before, using)
        if not write:
            transaction.set_rollback(True, using=using)
    return Import(tuple(changes), tuple(sorted(stored)))


def _compared(read: FileRule, before: EventRule | None) -> RuleChange:
    name, sentence = read.rule.name, read.sentence()
    if before is None:
        return RuleChange(name, sentence, is_new=True)
    return RuleChange(name, sentence, is_new=False, differences=(*_differences(read, before),))


def _differences(read: FileRule, before: EventRule) -> Iterator[Difference]:
    for field in _fields(EventRule):
        old, new = (getattr(rule, field.attname) for rule in (before, read.rule))
        if differs(old, new):
            yield Difference(field.name, _told(old), _told(new))
    after: dict[str, Iterable[Part]] = {"conditions": read.conditions, "payload": read.payload}
    for name, rows in _rows_of(before).items():
        olds, news = _rows(name, rows), _rows(name, after[name])
        for place in sorted({*olds, *news}):
            old_row, new_row = olds.get(place), news.get(place)
            if differs(old_row, new_row):
                yield Difference(place, old_row, new_row)


def _store(read: FileRule, before: EventRule | None, using: str) -> None:
    """Write a rule; one may be there by now, or be the same to a database that ignores case."""
    try:
        _write(read, before, using)
    except IntegrityError as error:
        text = f"Rule {read.rule.name!r}: the database refuses it: {str(error).strip()}"
        raise UnusableFile([text]) from error


def _write(read: FileRule, before: EventRule | None, using: str) -> None:
    rule = before or read.rule
    for field in _fields(EventRule):
        setattr(rule, field.attname, getattr(read.rule, field.attname))
    rule.edited_by = None  # a file did it, not who edited the rule before
    rule.save(using=using)
    RuleCondition.objects.using(using).filter(rule=rule).delete()
    RulePayload.objects.using(using).filter(rule=rule).delete()
    read.belong_to(rule)
    RuleCondition.objects.using(using).bulk_create(read.conditions)
    RulePayload.objects.using(using).bulk_create(read.payload)
