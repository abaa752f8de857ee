"""Rows whose watched values are read before a write and compared after it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.db.models import QuerySet

from .. import registry
from ..events import Kind, differs
from ..models import Notification
from ..plans import Plan
from .chunks import chunked
from .muting import is_covered
from .transitions import Transition, emit, locked, rows_of


class Rows:
    """Rows of one model, their watched values before a write, and what the write did to them.

    Kept are keys and values only, equal values once; records are read a portion at a time.
    """

    def __init__(self, plan: Plan, attnames: Collection[str], using: str) -> None:
        self.plan = plan
        self.model = plan.model
        self.using = using
        self.attnames = tuple(dict.fromkeys(attnames))
        self.keys: list[Any] = []
        self.before: dict[Any, tuple[Any, ...]] = {}
        self._shared: dict[Any, tuple[Any, ...]] = {}

    def read(self, queryset: QuerySet[Any]) -> None:
        """Lock the rows of a queryset, in one order for everyone, and keep their values."""
        queryset = queryset.using(self.using)
        if queryset.query.is_sliced:
            # MariaDB takes no LIMIT in the subquery of an IN.
            portions: Iterable[Any] = chunked(queryset.values_list("pk", flat=True))
        else:
            portions = [queryset.order_by().values("pk")]
        for pks in portions:
            rows = locked(rows_of(self.model, pks, self.using).order_by("pk"), self.using)
            for pk, *values in rows.values_list("pk", *self.attnames).iterator(chunk_size=2000):
                self.keys.append(pk)
                if not is_covered(self.model, pk):
                    self.before[pk] = self._kept(tuple(values))

    def _kept(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        try:
            return self._shared.setdefault((values, *map(type, values)), values)
        except TypeError:  # JSON, which can't be a key
            return values

    def tell(self) -> None:
        """Tell of the rows whose values differ from those before."""
        for pks in chunked(self.before):
            rows = rows_of(self.model, pks, self.using).values_list("pk", *self.attnames)
            changed = [pk for pk, *values in rows if any(map(differs, self.before[pk], values))]
            for owner, keys in self.keys_by_owner(changed).items():
                emit(
                    owner,
                    self.using,
                    [
                        Transition(
                            plan=self.plan,
                            model=owner,
                            pk=key,
                            using=self.using,
                            kind=Kind.CHANGED,
                            before=dict(zip(self.attnames, self.before[pk], strict=True)),
                        )
                        for pk, key in keys.items()
                        if not is_covered(owner, key)
                    ],
                )

    def keys_by_owner(self, pks: Collection[Any]) -> Mapping[registry.AnyModel, dict[Any, Any]]:
        """For each model that declares, the rows' own keys and those in its table."""
        if not pks:
            return {}
        found = {}
        for owner in self.plan.owners:
            link = self.model._meta.get_ancestor_link(owner)
            if owner is self.model or link is None:
                found[owner] = {pk: pk for pk in pks}
            else:
                rows = rows_of(self.model, pks, self.using)
                found[owner] = dict(rows.values_list("pk", link.attname))
        return found

    def tell_created(self, pks: Iterable[Any]) -> None:
        """Tell of new rows; one whose creation is in the log already was made by someone else."""
        label = self.model._meta.label_lower
        for keys in chunked(pks):
            texts = {pk: registry.key_text(self.model, pk) for pk in keys}
            told = set(
                Notification.objects.using(self.using)
                .filter(
                    source_model=label,
                    source_id__in=texts.values(),
                    why__transition=Kind.CREATED.value,
                )
                .values_list("source_id", flat=True)
            )
            new = [pk for pk, text in texts.items() if text not in told]
            emit_created(self.plan, new, self.using)


def emit_created(plan: Plan, pks: Sequence[Any], using: str) -> None:
    model = plan.model
    if pks:
        emit(
            model,
            using,
            [
                Transition(plan=plan, model=model, pk=pk, using=using, kind=Kind.CREATED)
                for pk in pks
            ],
        )
