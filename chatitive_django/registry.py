"""Which model declares which events, and what staff may use to make rules for it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from types import SimpleNamespace
from typing import Any, TypeAlias, TypeGuard

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Field, ForeignKey, ManyToManyField, ManyToManyRel, Model

from .events import Added, Changed, Event, Removed, Trigger
from .exceptions import InvalidEvent
from .paths import relations
from .payloads import paths_in

AnyModel: TypeAlias = type[Model]
AnyField: TypeAlias = "Field[Any, Any]"


UNCONVERTIBLE = (
    ValidationError,
    TypeError,
    ValueError,
    ArithmeticError,
    AttributeError,
    LookupError,
)
"""What `to_python` raises, of a project's own fields too: not all keep to `ValidationError`."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A trigger on one stored field, with its values as the field holds them."""

    trigger: Changed
    field: AnyField

    @property
    def attname(self) -> str:
        return self.field.attname


@dataclass(frozen=True)
class Declared:
    """An event in its place: the model that declares it, and its identity in the log."""

    event: Event
    model: AnyModel
    where: str
    rule_id: int | None = None
    """The rule that staff made, where it wasn't code that declares the event."""

    @cached_property
    def owner(self) -> AnyModel:
        """The concrete model whose rows emit the event; the log names this one."""
        return concrete(self.model)

    @cached_property
    def key(self) -> str:
        return self.event.key or f"{self.owner._meta.label}:{self.event.name}"

    @cached_property
    def triggers(self) -> tuple[Trigger, ...]:
        """The event's triggers with their values as the fields hold them.

        A trigger on a field that the model hasn't never fires; a system check names it.
        """
        return tuple(
            self._in_field_values(trigger) if isinstance(trigger, Changed) else trigger
            for trigger in self.event.triggers
        )

    def _in_field_values(self, trigger: Changed) -> Changed:
        field = field_named(self.model, trigger.field)
        return trigger if field is None else trigger.converted(partial(held_value, field))

    @cached_property
    def watched(self) -> tuple[Watched, ...]:
        return tuple(
            Watched(trigger, field)
            for trigger in self.triggers
            if isinstance(trigger, Changed)
            and (field := field_named(self.model, trigger.field)) is not None
        )

    @cached_property
    def relations(self) -> frozenset[Relation]:
        """The many-to-many relations that its triggers watch."""
        found = (
            relation_named(self.owner, trigger.field)
            for trigger in self.triggers
            if isinstance(trigger, (Added, Removed))
        )
        return frozenset(relation for relation in found if relation is not None)

    @cached_property
    def related(self) -> tuple[str, ...]:
        """The relations that its paths cross, for one joined read."""
        event = self.event
        sources = [event.phone_number, event.subscriber_sid, event.payload or {}]
        paths = [path for source in sources for path in paths_in(source)]
        paths += [condition.path for condition in event.conditions]
        return tuple(sorted({relations(self.model, path) for path in paths} - {""}))


@dataclass(frozen=True, slots=True)
class Relation:
    """A many-to-many relation as one of its two models sees it."""

    name: str
    through: AnyModel
    is_forward: bool
    """Whether the model holds the field, rather than being what it points to."""
    source: str
    """The column attribute of `through` that holds the model's own key."""
    target: str


def relation_named(model: AnyModel, name: str) -> Relation | None:
    """The many-to-many relation of a model by its field's or accessor's name, from either side."""
    for field in model._meta.get_fields():
        if isinstance(field, ManyToManyField) and field.name == name:
            many, is_forward = field, True
        elif isinstance(field, ManyToManyRel) and field.get_accessor_name() == name:
            many, is_forward = field.field, False
        else:
            continue
        through: Any = many.remote_field.through
        ends = [many.m2m_field_name(), many.m2m_reverse_field_name()]
        own, other = ends if is_forward else reversed(ends)
        return Relation(
            name=name,
            through=through,
            is_forward=is_forward,
            source=through._meta.get_field(own).attname,
            target=through._meta.get_field(other).attname,
        )
    return None


def concrete(model: AnyModel) -> AnyModel:
    return model._meta.concrete_model or model


def field_named(model: AnyModel, name: str) -> AnyField | None:
    """The stored field of a model by its name or column attribute; `None` where there is none."""
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return next((f for f in model._meta.concrete_fields if f.attname == name), None)
    if not isinstance(field, Field) or field.column is None or field.many_to_many:
        return None
    return field


def python_value(field: AnyField, value: Any) -> Any:
    """`value` as the field holds it; raises `ValidationError` where it can't."""
    if value is None:
        return None
    target = field.target_field if isinstance(field, ForeignKey) else field
    if isinstance(value, Model):
        return getattr(value, target.attname)
    return target.to_python(value)


def held_value(field: AnyField, value: Any) -> Any:
    """`value` as the field holds it, or as it is where the field can't take it."""
    if hasattr(value, "resolve_expression"):
        return value
    try:
        return python_value(field, value)
    except UNCONVERTIBLE:
        return value


def stored_key(model: AnyModel, pk: Any) -> Any:
    """A primary key as the database gives it back, however it was assigned."""
    fields = model._meta.pk_fields
    try:
        if len(fields) > 1:
            return tuple(python_value(*pair) for pair in zip(fields, pk, strict=True))
        return python_value(fields[0], pk)
    except UNCONVERTIBLE:
        return pk


def key_text(model: AnyModel, pk: Any) -> str:
    """A primary key as the log holds it, which `model._meta.pk.to_python` reads back."""
    if len(model._meta.pk_fields) > 1:
        key: Any = model._meta.pk
        return str(key.value_to_string(SimpleNamespace(pk=pk)))
    return str(pk)


def key_read(model: AnyModel, text: str) -> Any:
    """The primary key that `key_text` wrote, or `None` where it is no key of the model's."""
    try:
        return stored_key(model, model._meta.pk.to_python(text))
    except UNCONVERTIBLE:
        return None


_registered: dict[type, tuple[list[Event], list[str]]] = {}
_declared: dict[AnyModel, tuple[Declared, ...]] = {}
_offering: dict[AnyModel, bool] = {}
_on_register: list[Callable[[AnyModel], None]] = []


def register(model: AnyModel, events: Collection[Event] = (), fields: Collection[str] = ()) -> None:
    """Declare events and rule paths for a model that you don't own, from an `AppConfig.ready()`.

    Raises `InvalidEvent` for what is no event. An event of a key that is declared already is found
    by a system check.
    """
    if isinstance(fields, str):
        raise InvalidEvent(f"register({model.__name__}): fields must be a list of paths.")
    for event in events:
        if not isinstance(event, Event):
            raise InvalidEvent(f"register({model.__name__}): {event!r} is no Event.")
    own_events, own_fields = _registered.setdefault(model, ([], []))
    own_events.extend(events)
    own_fields.extend(fields)
    forget_plans()
    for watch in _on_register:
        watch(model)


def forget_plans() -> None:
    """Compile anew what is declared: a model was added."""
    _declared.clear()
    _offering.clear()


def on_register(watch: Callable[[AnyModel], None]) -> None:
    """Have `watch` called with each model that `register` names from now on."""
    _on_register.append(watch)


def declares(model: type) -> bool:
    """Whether a class itself, not its parents, declares events or rule paths."""
    names = vars(model)
    return bool(
        names.get("chatitive_events") or names.get("chatitive_fields") or model in _registered
    )


def own_declarations(model: type) -> list[tuple[Event, str]]:
    """The events that a class itself declares, each with the place to name in a message."""
    events = vars(model).get("chatitive_events")
    found = [
        (event, f"{model.__name__}.chatitive_events[{n}]")
        for n, event in enumerate(events if isinstance(events, (list, tuple)) else ())
        if isinstance(event, Event)  # a system check tells of what is none
    ]
    registered, _ = _registered.get(model, ([], []))
    found += [
        (event, f"register({model.__name__}, events=[...])[{n}]")
        for n, event in enumerate(registered)
    ]
    return found


def declarations(model: AnyModel) -> list[Declared]:
    """The events in force for a concrete model's rows, its parents' and proxies' among them.

    They add up along the MRO, and the same name in a subclass replaces. An event of an abstract
    parent belongs to the model that inherits it, one of a concrete parent to that parent.
    """
    found: list[Declared] = []
    for cls in [*reversed(model.__mro__), *_proxies(model)]:
        mine = [Declared(event, _home(model, cls), where) for event, where in own_declarations(cls)]
        names = {each.event.name for each in mine}
        found = [each for each in found if each.event.name not in names] + mine
    return found


def _home(model: AnyModel, cls: type) -> AnyModel:
    """Whose rows the declaration of `cls` speaks of, seen from the concrete `model`.

    That is the class itself, or where it has no table (a mixin, an abstract model) its first heir.
    """
    return next(
        heir
        for heir in [*reversed(model.__mro__), cls]
        if issubclass(heir, cls) and _has_table(heir)
    )


def _has_table(cls: type) -> TypeGuard[AnyModel]:
    return issubclass(cls, Model) and cls is not Model and not cls._meta.abstract


def _proxies(model: AnyModel) -> Iterator[AnyModel]:
    for candidate in apps.get_models():
        if candidate._meta.proxy and concrete(candidate) is model:
            yield candidate


def declared(model: AnyModel) -> tuple[Declared, ...]:
    """`declarations` of a concrete model, the same object until something else is declared."""
    try:
        return _declared[model]
    except KeyError:
        found = tuple(declarations(model))
        if apps.ready:
            _declared[model] = found
        return found


def rule_paths(model: AnyModel) -> tuple[str, ...]:
    """The paths that staff may use in rules for a model: its own and its parents'."""
    paths: dict[str, None] = {}
    for cls in reversed(model.__mro__):
        own = vars(cls).get("chatitive_fields")
        _, registered = _registered.get(cls, ([], []))
        for given in (own, registered):
            if isinstance(given, (list, tuple, set, frozenset)):  # a check tells of what is none
                paths |= dict.fromkeys(path for path in given if isinstance(path, str))
    return tuple(paths)


def may_have_rules(model: AnyModel) -> bool:
    """Whether staff may make rules for the rows of a concrete model, through a proxy of it too."""
    try:
        return _offering[model]
    except KeyError:
        found = any(rule_paths(each) for each in family(model))
        if apps.ready:
            _offering[model] = found
        return found


def watchable_fields(model: AnyModel) -> dict[str, AnyField]:
    """The stored fields whose changes a rule may wait for, by name.

    They are those that are offered as they stand, and the foreign keys that offered paths cross:
    the log shows old and new values, so a part of a value doesn't open the whole.
    """
    found = {}
    for path in rule_paths(model):
        name, _, rest = path.partition(".")
        field = field_named(model, name)
        if field is None or field.primary_key or field in model._meta.pk_fields:
            continue
        if not rest or field.is_relation:
            found[field.name] = field
    return found


def watchable_relations(model: AnyModel) -> dict[str, Relation]:
    """The many-to-many relations that a rule may watch, by name: offered, or crossed by a path."""
    names = dict.fromkeys(path.partition(".")[0] for path in rule_paths(model))
    found = {name: relation_named(concrete(model), name) for name in names}
    return {name: relation for name, relation in found.items() if relation is not None}


def family(model: AnyModel) -> tuple[AnyModel, ...]:
    """A concrete model and its proxies."""
    return (model, *_proxies(model))
