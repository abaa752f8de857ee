"""Random programs, each run in the database and in plain Python: the log is the stored history.

`HYPOTHESIS_PROFILE=thorough` takes minutes instead of seconds, and other programs each time.
"""

from __future__ import annotations

import copy
import json
import os
import pickle
from collections import Counter, defaultdict
from contextlib import ExitStack, nullcontext, suppress
from decimal import Decimal

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chatitive_django import EventManager, capture_changes, muted
from chatitive_django.models import Notification
from tests.desk.models import Board, Chore, Errand
from tests.history import Entry, History, Record

pytestmark = pytest.mark.django_db(transaction=True)

always = settings(
    deadline=None,
    report_multiple_bugs=False,
    phases=[Phase.generate, Phase.shrink],
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
PROFILES = {
    "quick": settings(always, max_examples=100, stateful_step_count=30, derandomize=True),
    "thorough": settings(always, max_examples=2000, stateful_step_count=50),
}
PROFILE = PROFILES[os.environ.get("HYPOTHESIS_PROFILE", "quick")]


@pytest.fixture(autouse=True)
def _nothing_is_delivered(settings):
    """Settings of one's own keep the test environment's immediate delivery away."""
    settings.CHATITIVE = dict(settings.CHATITIVE)


def test_the_log_of_random_saves_and_bulk_writes_is_the_stored_history():
    run_state_machine_as_test(Records, settings=PROFILE)


class RolledBack(Exception):
    """Ends a block that is not to be kept."""


class Refused(Exception):
    """What can't be stored: a taken key, a forced update of no row, an expression in an insert."""


REFUSALS = (DatabaseError, ValueError, ObjectDoesNotExist)


class Program(RuleBasedStateMachine):
    """Blocks around writes, autocommit where there is none, and the comparison after each step."""

    tables = {}
    """The columns that are compared, by model."""
    links = ()
    """The tables that only link others."""

    def __init__(self):
        super().__init__()
        self.history = History()
        self.blocks = []

    def begin(self, *contexts):
        block = ExitStack()
        for context in contexts:
            block.enter_context(context)
        self.blocks.append(block)

    @precondition(lambda self: len(self.blocks) < 3)
    @rule(kind=st.sampled_from(["atomic", "muted"]))
    def begin_block(self, kind):
        if kind == "atomic":
            self.begin(self.history.atomic(), transaction.atomic())
        else:
            self.begin(self.history.muted(), muted())

    @precondition(lambda self: self.blocks)
    @rule()
    def end(self):
        self.blocks.pop().close()

    @precondition(lambda self: self.blocks)
    @rule()
    def end_by_raising(self):
        with suppress(RolledBack), self.blocks.pop():
            raise RolledBack

    def make(self, changes, write, *, seen=True):
        """Make a write here and there, or have both refuse it; `changes` are the rows it stores.

        The key of a new row may be `None`: it is known afterwards.
        """
        try:
            changes = [(record, copy.deepcopy(row)) for record, row in changes]
            self.refuse_taken_codes(changes)
        except Refused:
            in_block = connection.in_atomic_block
            with pytest.raises(REFUSALS), transaction.atomic() if in_block else nullcontext():
                write()
            return
        write()
        for record, row in changes:
            if record.pk is None:
                record = Record(record.model, self.key_of_new(record.model, row))
            self.history.write(record, row, seen=seen)

    def key_of_new(self, model, row):
        return model._base_manager.latest("pk").pk

    def refuse_taken_codes(self, changes):
        """Where codes are unique."""

    def stored_rows(self):
        return {
            Record(model, row.pop("pk")): row
            for model, names in self.tables.items()
            for row in model._base_manager.values("pk", *names)
        }

    @invariant()
    def the_rows_are_those_of_the_history(self):
        assert self.stored_rows() == self.history.rows

    @invariant()
    def the_log_is_the_history(self):
        found = defaultdict(list)
        for row in Notification.objects.order_by("id"):
            why = [row.why.get(part) for part in ("transition", "field", "old", "new")]
            entry = Entry(row.event_name, row.status != Notification.Status.INVALID, *why)
            found[row.source_model, row.source_id].append(comparable(entry))
        assert found == {
            (record.model._meta.label_lower, str(record.pk)): [*map(comparable, entries)]
            for record, entries in self.history.log.items()
            if entries
        }

    def teardown(self):
        while self.blocks:
            self.end_by_raising()
        for model in (Notification, *self.links, *self.tables):
            model._base_manager.all()._raw_delete("default")


def comparable(entry):
    """An entry with its values as JSON; of a relation's keys the order doesn't matter."""
    return entry._replace(old=as_json(entry.old), new=as_json(entry.new))


def as_json(value):
    value = sorted(value) if isinstance(value, list) else value
    return json.loads(json.dumps(value, cls=DjangoJSONEncoder))


def written(instance, only):
    """What `save(update_fields=only)` writes, and whether it must find a row, by Django's rules."""
    values = {
        field.name: vars(instance)[field.attname]
        for field in instance._meta.concrete_fields
        if field.attname in vars(instance)
        and not field.primary_key
        and (only is None or field.name in only)
    }
    return values, only is not None or bool(instance.get_deferred_fields())


def is_expression(value):
    return hasattr(value, "resolve_expression")


def through_pickle(instance):
    return pickle.loads(pickle.dumps(instance))


copies = st.sampled_from([copy.copy, copy.deepcopy, through_pickle])


# Rows of one table, written in every way

DEFAULTS = {
    "state": "new",
    "step": 0,
    "weight": Decimal("0.00"),
    "notes": {},
    "title": "",
    "fault": "",
    "board": None,
}
AS_STORED = {"step": int, "weight": lambda value: round(Decimal(value), 2)}

constants = {
    "state": st.sampled_from(["new", "urgent", "done", "sold"]),
    "step": st.sampled_from([0, 1, 2, "1", 2.0, True]),
    "weight": st.sampled_from([0, 1, "1.00", "0.001", Decimal("2.5")]),
    "notes": st.sampled_from([{}, {"seen": [1]}, {"seen": [1, None]}]),
    "title": st.sampled_from(["", "loud"]),
    "fault": st.sampled_from(["", "raises", "queries badly", "is no JSON"]),
    "board": st.sampled_from([None, 0, 1]),
}
expressions = {"step": constants["step"] | st.sampled_from([F("step") + 1, F("step") + 0])}
values = st.fixed_dictionaries({}, optional=constants)
values_or_expressions = st.fixed_dictionaries({}, optional=constants | expressions)
names = st.sets(st.sampled_from(list(constants)))
codes = st.sampled_from("abcdefgh")
models = st.sampled_from([Chore, Errand])

QUERIES = {
    "all": ({}, lambda row: True),
    "new": ({"state": "new"}, lambda row: row["state"] == "new"),
    "begun": ({"step__gt": 0}, lambda row: row["step"] > 0),
    "a to d": ({"code__lt": "e"}, lambda row: row["code"] < "e"),
}
queries = st.sampled_from(list(QUERIES))


class Records(Program):
    """Chores and errands: by instances, which are kept and grow stale, and in bulk."""

    tables = {Chore: ["code", *DEFAULTS], Errand: ["code", *DEFAULTS], Board: ["phone"]}
    instances = Bundle("instances")

    @initialize(target=instances)
    def begin_with_some(self):
        self.boards = [Board.objects.create() for _ in range(2)]
        for board in self.boards:
            self.history.write(Record(Board, board.pk), {"phone": board.phone})
        first = [Chore(code="a"), Chore(code="e"), Errand(code="a")]
        for instance in first:
            self.make(self.saved(instance), instance.save)
        return multiple(*first)

    def key_of_new(self, model, row):
        return model._base_manager.only("pk").get(code=row["code"]).pk

    def refuse_taken_codes(self, changes):
        changed = {record for record, _ in changes}
        unchanged = [each for each in self.history.rows.items() if each[0] not in changed]
        taken = Counter(
            (record.model, row["code"])
            for record, row in unchanged + changes
            if row and "code" in row
        )
        if any(count > 1 for count in taken.values()):
            raise Refused

    def attributes(self, values):
        """Drawn values as a model takes them; a board is drawn by its number."""
        given = copy.deepcopy(values)
        if "board" in given:
            number = given.pop("board")
            given["board_id"] = None if number is None else self.boards[number].pk
            if not self.is_there(given["board_id"]):
                given["board_id"] = None
        return given

    def is_there(self, board_id):
        return Record(Board, board_id) in self.history.rows

    def let_go_of_lost_board(self, instance):
        """A key that leads nowhere would fail at the commit."""
        if "board_id" in vars(instance) and not self.is_there(instance.board_id):
            instance.board_id = None

    def after(self, record, values, *, must_exist=False):
        """The row that a write of some values leaves."""
        before = self.history.rows.get(record)
        if before is None and (must_exist or any(map(is_expression, values.values()))):
            raise Refused
        row = dict(before or DEFAULTS)
        for name, value in values.items():
            if is_expression(value):
                row[name] += value.rhs.value
            else:
                row[name.removesuffix("_id")] = AS_STORED.get(name, lambda same: same)(value)
        return row

    def saved(self, instance, only=None):
        self.let_go_of_lost_board(instance)
        if only is None or only:
            record = Record(type(instance), instance.pk)
            values, must_exist = written(instance, only)
            yield record, self.after(record, values, must_exist=must_exist)

    def new_row(self, model, code, values):
        record = Record(model, None)
        return record, self.after(record, {"code": code, **values})

    def new_or_updated_row(self, model, code, values):
        for record, row in self.history.rows.items():
            if record.model is model and row["code"] == code:
                return record, self.after(record, values)
        return self.new_row(model, code, values)

    def matching(self, model, query):
        _, matches = QUERIES[query]
        return [
            record
            for record, row in self.history.rows.items()
            if record.model is model and matches(row)
        ]

    def rows(self, model, query):
        filters, _ = QUERIES[query]
        return model._default_manager.filter(**filters)

    def is_seen_in_bulk(self, model):
        return isinstance(model._default_manager, EventManager)

    @precondition(lambda self: len(self.blocks) < 3)
    @rule(model=models, query=queries)
    def begin_capture(self, model, query):
        _, matches = QUERIES[query]
        self.begin(
            self.history.capture_changes(lambda r, row: r.model is model and matches(row)),
            capture_changes(self.rows(model, query)),
        )

    # By an instance

    @rule(target=instances, model=models, code=codes, values=values, force=st.booleans())
    def create(self, model, code, values, force):
        instance = model(code=code, **self.attributes(values))
        self.make(self.saved(instance), lambda: instance.save(force_insert=force))
        return instance

    @rule(target=instances, model=models, number=st.integers(0, 7), only=st.none() | names)
    def load(self, model, number, only):
        rows = model._base_manager.order_by("pk")
        found = list(rows if only is None else rows.only(*only))
        return found[number % len(found)] if found else multiple()

    @rule(target=instances, instance=instances, copied=copies)
    def copy(self, instance, copied):
        return copied(instance)

    @rule(target=instances, instance=instances, code=codes, values=values)
    def build_by_hand(self, instance, code, values):
        return type(instance)(pk=instance.pk, code=code, **self.attributes(values))

    @rule(instance=instances, values=values_or_expressions, in_place=st.booleans())
    def save(self, instance, values, in_place):
        for name, value in self.attributes(values).items():
            setattr(instance, name, value)
        if in_place and "notes" in vars(instance):
            instance.notes["more"] = True
        self.make(self.saved(instance), instance.save)

    @rule(instance=instances, values=values_or_expressions, only=names)
    def save_some(self, instance, values, only):
        for name, value in self.attributes(values).items():
            setattr(instance, name, value)
        self.make(self.saved(instance, only), lambda: instance.save(update_fields=only))

    @rule(instance=instances)
    def delete(self, instance):
        if instance.pk is not None:
            record = Record(type(instance), instance.pk)
            self.make([(record, None)] * (record in self.history.rows), instance.delete)

    @rule(model=models, code=codes, values=values)
    def update_or_create(self, model, code, values):
        given = self.attributes(values)
        self.make(
            [self.new_or_updated_row(model, code, given)],
            lambda: model._default_manager.update_or_create(code=code, defaults=given),
        )

    # In bulk

    @rule(model=models, query=queries, values=values_or_expressions)
    def update(self, model, query, values):
        given = self.attributes(values)
        self.make(
            [(record, self.after(record, given)) for record in self.matching(model, query)],
            lambda: self.rows(model, query).update(**given),
            seen=self.is_seen_in_bulk(model),
        )

    @rule(model=models, query=queries)
    def update_by_sql(self, model, query):
        records = self.matching(model, query)
        pks = ", ".join(str(record.pk) for record in records) or "0"
        sql = f"UPDATE {model._meta.db_table} SET step = step + 1 WHERE id IN ({pks})"
        self.make(
            [(record, self.after(record, {"step": F("step") + 1})) for record in records],
            lambda: execute(sql),
            seen=False,
        )

    @rule(one=instances, other=instances, fields=names.filter(bool))
    def bulk_update(self, one, other, fields):
        model = type(one)
        same = [each for each in (one, other) if type(each) is model and each.pk is not None]
        objs = {each.pk: each for each in same}.values()

        def changes():
            for obj in objs:
                self.let_go_of_lost_board(obj)
                values, _ = written(obj, fields)
                record = Record(model, obj.pk)
                if record in self.history.rows:
                    yield record, self.after(record, values)
                elif values.keys() < fields:  # a deferred one that can't be loaded
                    raise Refused

        self.make(
            changes(),
            lambda: model._default_manager.bulk_update(objs, fields),
            seen=self.is_seen_in_bulk(model),
        )

    @rule(model=models, codes=st.lists(codes, unique=True, max_size=4), values=values)
    def bulk_create(self, model, codes, values):
        given = self.attributes(values)
        self.make(
            [self.new_row(model, code, given) for code in codes],
            lambda: model._default_manager.bulk_create(
                [model(code=code, **given) for code in codes]
            ),
            seen=self.is_seen_in_bulk(model),
        )

    @precondition(lambda self: connection.features.supports_update_conflicts_with_target)
    @rule(
        model=models,
        codes=st.lists(codes, unique=True, max_size=4),
        values=values.filter(bool),
    )
    def upsert(self, model, codes, values):
        given = self.attributes(values)
        self.make(
            [self.new_or_updated_row(model, code, given) for code in codes],
            lambda: model._default_manager.bulk_create(
                [model(code=code, **given) for code in codes],
                update_conflicts=True,
                unique_fields=["code"],
                update_fields=list(values),
            ),
            seen=self.is_seen_in_bulk(model),
        )

    @rule(model=models, query=queries, by_sql=st.booleans())
    def delete_rows(self, model, query, by_sql):
        rows = self.rows(model, query)
        self.make(
            [(record, None) for record in self.matching(model, query)],
            lambda: rows._raw_delete("default") if by_sql else rows.delete(),
            seen=not by_sql,
        )

    @rule(number=st.sampled_from([0, 1]))
    def delete_board_and_what_is_on_it(self, number):
        board = Record(Board, self.boards[number].pk)
        if board in self.history.rows:
            rows = self.history.rows.items()
            rest = [(record, None) for record, row in rows if row.get("board") == board.pk]
            self.make([*rest, (board, None)], Board.objects.get(pk=board.pk).delete)


def execute(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


# Relations, from both sides

some = st.sets(st.integers(0, 2))
