"""Writes that go past `save()`: compared by reading the rows before and after.

`QuerySet.update()`, `bulk_update()` and raw SQL send no signal and call no method of a model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from django.db import connections, router, transaction
from django.db.models import AutoField, Max, Model, Q, QuerySet
from django.db.models.manager import BaseManager

from .. import registry, rules
from ..exceptions import ChatitiveError
from ..models import log_alias
from ..plans import Plan
from .chunks import CHUNK_SIZE, chunked
from .compare import Rows, emit_created
from .muting import covering, is_muted

M = TypeVar("M", bound=Model)


class NotCapturable(ChatitiveError):
    """A bulk write of which nobody can tell which rows it changes."""


@contextmanager
def capture_changes(queryset: QuerySet[Any]) -> Iterator[None]:
    """Emit the events of what the block does to the rows of `queryset`, whatever way it does it.

    The rows are locked and read, and read again when the block ends, in a transaction of its own.
    Rows that match only afterwards and are new count as created; rows that are gone emit nothing.
    What the block does to a row is one transition: from what it held before to what it holds then.

    Raises `NotCapturable` where the rows are in another database than the log.
    """
    model = registry.concrete(queryset.model)
    plan = rules.plan_for(model)
    if plan is None or is_muted():
        yield
        return
    using = _write_alias(queryset)
    if using != log_alias():
        raise NotCapturable(
            f"{model.__name__} in database {using!r} can't be captured: the log is in "
            f"{log_alias()!r}, so an event can't be recorded with its change."
        )
    with transaction.atomic(using=using):
        rows = Rows(plan, [name for table in plan.tables.values() for name in table.columns], using)
        rows.read(queryset)
        highest = _highest_key(model, using)
        with ExitStack() as covered:
            for owner, keys in rows.keys_by_owner(rows.before).items():
                covered.enter_context(covering(owner, set(keys.values())))
            yield
        rows.tell()
        if plan.tables[model].emits_on_insert and not queryset.query.is_sliced:
            after = queryset.using(using).order_by("pk").values_list("pk", flat=True)
            rows.tell_created(
                pk
                for pk in list(after)
                if pk not in rows.before and (highest is None or pk > highest)
            )


def _write_alias(queryset: Any) -> str:
    alias: str = queryset._db or router.db_for_write(queryset.model)
    return alias


def _highest_key(model: type[Model], using: str) -> Any:
    """A key that no row made from now on is below; `None` where keys aren't numbered."""
    if not isinstance(model._meta.pk, AutoField):
        return None
    rows: QuerySet[Any] = QuerySet(model=model, using=using)
    return rows.aggregate(highest=Max("pk"))["highest"] or 0


class EventQuerySet(QuerySet[M]):
    """A queryset whose bulk writes emit the events of the rows they change.

    A write that no trigger asks for is Django's own. Any other locks and reads its rows before
    and after it, a portion at a time, in one transaction.
    """

    def update(self, **kwargs: Any) -> int:
        """Django's `update()`, with the events of the rows that it changes."""
        plan = self._plan()
        asked = _asked_attnames(plan, kwargs) if plan else []
        if plan is None or not asked or self.query.is_sliced:
            return super().update(**kwargs)
        using = log_alias()
        with transaction.atomic(using=using):
            rows = Rows(plan, asked, using)
            rows.read(self)
            # Just the rows that are locked: another may have come to match meanwhile.
            updated = sum(
                QuerySet.update(self.filter(pk__in=pks), **kwargs) for pks in chunked(rows.keys)
            )
            rows.tell()
        return updated

    update.alters_data = True  # type: ignore[attr-defined]

    def bulk_update(
        self, objs: Iterable[M], fields: Iterable[str], batch_size: int | None = None
    ) -> int:
        """Django's `bulk_update()`, which goes through `update()` a portion at a time."""
        if self._plan() is not None:
            batch_size = min(batch_size or CHUNK_SIZE, CHUNK_SIZE)
        return super().bulk_update(objs, fields, batch_size=batch_size)

    bulk_update.alters_data = True  # type: ignore[attr-defined]

    def bulk_create(
        self,
        objs: Iterable[M],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> list[M]:
        """Django's `bulk_create()`, with the events of the rows that it inserts or updates.

        Raises `NotCapturable` where nobody can tell which those are: with `ignore_conflicts`, with
        `update_conflicts` but without `unique_fields`, and where the database gives no keys back.
        """
        objs = list(objs)

        def create() -> list[M]:
            return super(EventQuerySet, self).bulk_create(
                objs,
                batch_size=batch_size,
                ignore_conflicts=ignore_conflicts,
                update_conflicts=update_conflicts,
                update_fields=update_fields,
                unique_fields=unique_fields,
            )

        plan = self._plan()
        table = plan.tables[plan.model] if plan else None
        watched = [
            each.attname
            for each in (table.columns.values() if table and update_conflicts else ())
            if {each.name, each.attname} & set(update_fields or ())
        ]
        if plan is None or table is None or not (table.emits_on_insert or watched):
            return create()
        using = log_alias()
        self._refuse_what_nobody_can_tell(objs, ignore_conflicts, update_conflicts, unique_fields)
        with transaction.atomic(using=using):
            rows = Rows(plan, watched, using)
            for portion in chunked(objs, CHUNK_SIZE // 10) if update_conflicts else ():
                rows.read(self.model._base_manager.filter(_same(portion, unique_fields or ())))
            created = create()
            rows.tell()
            if not table.emits_on_insert:
                return created
            keys = [registry.stored_key(plan.model, obj.pk) for obj in created]
            new = [pk for pk in keys if pk not in rows.before]
            if update_conflicts:
                rows.tell_created(new)
            else:
                for pks in chunked(new):
                    emit_created(plan, pks, using)
        return created

    bulk_create.alters_data = True  # type: ignore[attr-defined]

    def _plan(self) -> Plan | None:
        """What is declared for the rows, if their writes are captured at all."""
        plan = rules.plan_for(self.model)
        if plan is None or is_muted() or _write_alias(self) != log_alias():
            return None
        return plan

    def _refuse_what_nobody_can_tell(
        self,
        objs: Sequence[M],
        ignore_conflicts: bool,
        update_conflicts: bool,
        unique_fields: Collection[str] | None,
    ) -> None:
        features = connections[log_alias()].features
        keys_come_back = features.can_return_rows_from_bulk_insert or all(
            obj.pk is not None for obj in objs
        )
        if ignore_conflicts:
            why = "with ignore_conflicts nobody can tell which rows were inserted"
        elif update_conflicts and not unique_fields:
            why = "with update_conflicts and no unique_fields nobody can tell which rows were there"
        elif not keys_come_back:
            why = "this database doesn't give the keys of the inserted rows back"
        else:
            return
        name = self.model.__name__
        raise NotCapturable(
            f"{name}.bulk_create() can't emit its events: {why}. Call it inside "
            f"`with capture_changes({name}.objects.filter(...)):` over the rows concerned, or "
            "inside `with muted():` to emit none."
        )


def _asked_attnames(plan: Plan, values: Mapping[str, Any]) -> list[str]:
    """The watched columns to which an update may give a value that a trigger asks for."""
    missing = object()
    asked = []
    for table in plan.tables.values():
        for column in table.columns.values():
            value = values.get(column.name, values.get(column.attname, missing))
            if column.field.generated or (value is not missing and column.may_become(value)):
                asked.append(column.attname)
    return asked


def _same(objs: Iterable[Model], unique_fields: Collection[str]) -> Q:
    """The rows that hold the unique values of some objects."""
    return Q(
        *(Q(**{name: getattr(obj, name) for name in unique_fields}) for obj in objs),
        _connector=Q.OR,
    )


EventManager = BaseManager.from_queryset(EventQuerySet)
"""A manager of `EventQuerySet`: `objects = EventManager()`."""
