"""Random programs of writes, each made in the database and in plain Python: the two logs agree.

`HYPOTHESIS_PROFILE=thorough` runs for minutes instead of seconds, and with new programs each time.
"""

from __future__ import annotations

import copy
import json
import os
import pickle
from collections import defaultdict
from contextlib import ExitStack, nullcontext, suppress
from decimal import Decimal

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chatitive_django import capture_changes, muted
from chatitive_django.models import Notification
from tests.desk.models import (
    Agent,
    Board,
    Chore,
    Clerk,
    Errand,
    Job,
    Membership,
    Person,
    Tag,
)
from tests.history import Entry, History, Record

pytestmark = pytest.mark.django_db(transaction=True)

common = settings(
    deadline=None, print_blob=True, suppress_health_check=list(HealthCheck), report_multiple_bugs=False
)
PROFILES = {
    "quick": settings(common, max_examples=60, stateful_step_count=30, derandomize=True),
    "thorough": settings(common, max_examples=3000, stateful_step_count=60),
}
PROFILE = PROFILES[os.environ.get("HYPOTHESIS_PROFILE", "quick")]


@pytest.fixture(autouse=True)
def nothing_is_delivered(settings):
    """Settings of one's own keep the immediate dispatcher of the test environment away."""
    settings.CHATITIVE = dict(settings.CHATITIVE)


def test_the_log_of_random_saves_updates_and_deletes_is_the_stored_history():
    run_state_machine_as_test(Works, settings=PROFILE)


def test_the_log_of_random_relations_is_the_stored_history():
    run_state_machine_as_test(Relations, settings=PROFILE)


def test_the_log_of_random_writes_to_a_family_of_tables_is_the_stored_history():
    run_state_machine_as_test(Family, settings=PROFILE)


class RolledBack(Exception):
    """Ends a block that shall not be kept."""


class Refused(Exception):
    """What no database stores: a taken code, a forced update of no row, an expression inserted."""


REFUSALS = (DatabaseError, ValueError, ObjectDoesNotExist)


class Program(RuleBasedStateMachine):
    """Blocks around writes, in autocommit where there is none; after each step the logs agree."""

    tables = ()

    def __init__(self):
        super().__init__()
        self.history = History()
        self.blocks = []

    def begin(self, *contexts):
        block = ExitStack()
        for context in contexts:
            block.enter_context(context)
        self.blocks.append(block)

    @rule()
    def begin_atomic(self):
        self.begin(self.history.atomic(), transaction.atomic())

    @rule()
    def begin_muted(self):
        self.begin(self.history.muted(), muted())

    @precondition(lambda self: self.blocks)
    @rule(raises=st.booleans())
    def end(self, raises):
        with suppress(RolledBack), self.blocks.pop():
            if raises:
                raise RolledBack

    def attempt(self, write_here, write_there):
        """Make a write in both worlds; what can't be stored is refused by both."""
        try:
            with self.history.atomic():
                write_here()
        except Refused:
            self.refused(write_there)
        else:
            write_there()

    def refused(self, write):
        in_block = connection.in_atomic_block
        with pytest.raises(REFUSALS), transaction.atomic() if in_block else nullcontext():
            write()

    @invariant()
    def the_rows_are_the_stored_ones(self):
        assert {
            Record(model, row["pk"]): {name: row[name] for name in row if name != "pk"}
            for model in self.tables
            for row in model._base_manager.values("pk", *columns(model))
        } == {
            record: {name: row[name] for name in columns(record.model)}
            for record, row in self.history.rows.items()
        }

    @invariant()
    def the_log_is_the_history(self):
        found = defaultdict(list)
        for row in Notification.objects.order_by("id"):
            why = [row.why["transition"], *map(row.why.get, ("field", "old", "new"))]
            found[row.source_model, row.source_id].append(Entry(row.event_name, *why))
        assert found == {
            (record.model._meta.label_lower, str(record.pk)): [
                entry._replace(old=as_json(entry.old), new=as_json(entry.new)) for entry in entries
            ]
            for record, entries in self.history.log.items()
            if entries
        }

    def teardown(self):
        while self.blocks:
            self.end(raises=True)
        for model in (Notification, *self.tables):
            model._base_manager.all()._raw_delete("default")


def columns(model):
    return [field.name for field in model._meta.concrete_fields if not field.primary_key]


def as_json(value):
    return json.loads(json.dumps(value, cls=DjangoJSONEncoder))


# One table, written in every way

STORED = {
    "state": str,
    "step": int,
    "weight": lambda value: round(Decimal(value), 2),
    "board": lambda value: None if value is None else int(value),
}
WRITTEN = {
    "state": st.sampled_from(["new", "urgent", "done", "sold"]),
    "step": st.sampled_from([0, 1, 2, "1", 2.0, True, F("step") + 1, F("step") + 0]),
    "weight": st.sampled_from([0, 1, "1.00", "0.001", Decimal("2.5")]),
    "notes": st.sampled_from([{}, {"seen": [1]}, {"seen": [1, None]}]),
    "title": st.sampled_from(["", "loud"]),
    "fault": st.sampled_from(["", "raises", "queries badly", "is no JSON"]),
    "board": st.sampled_from([None, 0, 1]),
}
CODES = st.sampled_from("abcdefgh")
QUERIES = {
    "all": ({}, lambda row: True),
    "new": ({"state": "new"}, lambda row: row["state"] == "new"),
    "begun": ({"step__gt": 0}, lambda row: row["step"] > 0),
    "a to d": ({"code__lt": "e"}, lambda row: row["code"] < "e"),
}

models = st.sampled_from([Chore, Errand])
queries = st.sampled_from(sorted(QUERIES))
values = st.fixed_dictionaries({}, optional=WRITTEN)
constants = values.map(lambda given: {k: v for k, v in given.items() if not isinstance(v, F)})
names = st.sets(st.sampled_from(sorted(WRITTEN)))


def is_expression(value):
    return hasattr(value, "resolve_expression")


def stored(name, value, before):
    """A written value as its column holds it."""
    if is_expression(value):
        if before is None:
            raise Refused
        return before[name] + value.rhs.value
    return STORED.get(name, lambda value: value)(value)


class Works(Program):
    """Chores and errands."""

    tables = (Chore, Errand, Board)
    instances = Bundle("instances")

    def __init__(self):
        super().__init__()
        self.boards = [Board.objects.create() for _ in range(2)]
        for board in self.boards:
            self.history.rows[Record(Board, board.pk)] = {"phone": board.phone}

    # What is written

    def attributes(self, values):
        """Drawn values, with the number of a board replaced by its key, if it is there."""
        given = copy.deepcopy(values)
        if "board" in given:
            number = given.pop("board")
            given["board_id"] = None if number is None else self.key_of_board(number)
        return given

    def key_of_board(self, number):
        pk = self.boards[number].pk
        return pk if Record(Board, pk) in self.history.rows else None

    def put(self, model, pk, values, *, seen=True, must_exist=False):
        """Update or insert a row."""
        record = Record(model, pk)
        before = self.history.rows.get(record)
        if must_exist and before is None:
            raise Refused
        written = {name: stored(name, value, before) for name, value in values.items()}
        after = {**(before or DEFAULTS), **written}
        if any(
            other.model is model and other != record and row.get("code") == after["code"]
            for other, row in self.history.rows.items()
        ):
            raise Refused
        self.history.write(record, after, seen=seen)

    def matching(self, model, query):
        _, holds = QUERIES[query]
        return [
            record
            for record, row in self.history.rows.items()
            if record.model is model and holds(row)
        ]

    def rows(self, model, query):
        given, _ = QUERIES[query]
        return model._default_manager.filter(**given)

    # Instances: new, loaded, copied, built by hand; they stay, and grow stale

    @rule(target=instances, model=models, code=CODES, values=constants, force=st.booleans())
    def create(self, model, code, values, force):
        instance = model(code=code, **self.attributes(values))

        def write():
            instance.save(force_insert=force)

        if any(r.model is model and row["code"] == code for r, row in self.history.rows.items()):
            self.refused(write)
        else:
            write()
            self.put(model, instance.pk, held(instance))
        return instance

    @rule(target=instances, model=models, n=st.integers(0, 7), only=st.none() | names)
    def load(self, model, n, only):
        rows = model._base_manager.order_by("pk")
        found = list(rows if only is None else rows.only(*only))
        return found[n % len(found)] if found else multiple()

    @rule(
        target=instances,
        instance=instances,
        way=st.sampled_from([copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]),
    )
    def copy(self, instance, way):
        return way(instance)

    @rule(target=instances, instance=instances, values=constants)
    def build_by_hand(self, instance, values):
        return type(instance)(pk=instance.pk, code=instance.code, **self.attributes(values))

    # Writes

    @rule(instance=instances, values=values, only=st.none() | names, in_place=st.booleans())
    def save(self, instance, values, only, in_place):
        for name, value in self.attributes(values).items():
            setattr(instance, name, value)
        if in_place and "notes" in vars(instance):
            instance.notes["more"] = 1
        if vars(instance).get("board_id") not in {board.pk for board in self.boards}:
            pass
        written = held(instance)
        deferred = instance.get_deferred_fields()

        def here():
            if instance.pk is None:
                raise Refused
            if only is not None:
                keep = only
            elif deferred:
                keep = set(written)
            else:
                return self.put(type(instance), instance.pk, written)
            if only is None and not keep and Record(type(instance), instance.pk) not in self.history.rows:
                raise Refused
            if keep:
                self.put(
                    type(instance),
                    instance.pk,
                    {k: v for k, v in written.items() if k in keep},
                    must_exist=True,
                )

        self.attempt(here, lambda: instance.save(update_fields=only))

    @rule(instance=instances)
    def delete(self, instance):
        if instance.pk is None:
            return
        record = Record(type(instance), instance.pk)
        if record in self.history.rows:
            self.history.write(record, None)
        instance.delete()

    @rule(model=models, query=queries)
    def delete_rows(self, model, query):
        for record in self.matching(model, query):
            self.history.write(record, None)
        self.rows(model, query).delete()

    @rule(number=st.integers(0, 1))
    def delete_board(self, number):
        board = Record(Board, self.boards[number].pk)
        if board not in self.history.rows:
            return
        for record, row in self.history.rows.items():
            if row.get("board") == board.pk:
                self.history.write(record, None)
        self.history.write(board, None)
        Board.objects.filter(pk=board.pk).delete()

    @rule(model=models, query=queries, values=values)
    def update(self, model, query, values):
        given = self.attributes(values)
        for record in self.matching(model, query):
            self.put(*record, by_name(given), seen=model is Chore)
        self.rows(model, query).update(**given)

    @rule(model=models, query=queries, values=values)
    def update_by_sql(self, model, query):
        pks = [record.pk for record in self.matching(model, query)]
        ...


DEFAULTS = {
    "state": "new",
    "step": 0,
    "weight": Decimal(0),
    "notes": {},
    "title": "",
    "fault": "",
    "board": None,
}
