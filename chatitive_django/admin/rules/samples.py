"""What the offered paths of a model lead to on its latest record, to choose among them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from django.db import DatabaseError, transaction
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _

from ...exceptions import Unbuildable
from ...models import log_alias
from ...payloads import evaluate_as
from ...registry import AnyModel
from ...sentences import value_phrase
from ...walking import field_at

_LONGEST = 40


class Samples:
    """Sample values by path; none without a model, or for those who may not see such values."""

    def __init__(self, model: AnyModel | None) -> None:
        self._model = model
        self._known: dict[str, str] = {}

    def labelled(self, paths: Iterable[str]) -> list[tuple[str, str]]:
        """Each path with a label that shows what it leads to."""
        return [(path, self._label(path)) for path in paths]

    def _label(self, path: str) -> str:
        if path not in self._known:
            self._known[path] = self._read(path)
        sample = self._known[path]
        return (
            _("%(path)s, such as “%(sample)s”") % {"path": path, "sample": sample}
            if sample
            else path
        )

    @cached_property
    def _record(self) -> Model | None:
        if self._model is None:
            return None
        return QuerySet(model=self._model, using=log_alias()).order_by("-pk").first()

    def _read(self, path: str) -> str:
        """The value in words; the savepoint undoes what the project's own code may do."""
        if self._model is None or self._record is None:
            return ""
        try:
            with transaction.atomic(using=log_alias()):
                value = evaluate_as(path, path, self._record)
                transaction.set_rollback(True, using=log_alias())
        except (Unbuildable, DatabaseError):
            return ""
        if value is None or value == "":
            return ""
        text = value_phrase(value, field_at(self._model, path))
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
