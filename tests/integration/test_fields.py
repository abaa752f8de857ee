"""A watched change fires once, and the same value saved again never, whatever the column."""

from __future__ import annotations

import datetime as dt
import math
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connection, models
from django.db.models import F, Value
from django.db.models.functions import Lower

from chatitive_django import (
    Changed,
    Constant,
    Created,
    Deleted,
    Event,
    EventQuerySet,
    If,
    capture_changes,
)
from chatitive_django.models import Notification
from tests.fields_app.columns import Point
from tests.fields_app.models import (
    Account,
    ByDepot,
    ByName,
    ByPair,
    ByRenamedKey,
    ByUUID,
    Computed,
    Defaulted,
    Depot,
    Letter,
    Ordered,
    Removable,
    SelectedOnSave,
    Stamped,
    Thing,
    ThingView,
    WatchedLetter,
)

pytestmark = pytest.mark.django_db

PHONE = Constant("206-555-0100")
VENDOR = connection.vendor
IDENT = uuid.UUID("550e8400-e29b-41d4-a716-446655440000")
OTHER = uuid.UUID("550e8400-e29b-41d4-a716-446655440001")
UTC = dt.UTC
MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
NEW_YORK = dt.timezone(dt.timedelta(hours=-5))


def recorded():
    return list(Notification.objects.order_by("id").values_list("event_name", flat=True))


def why():
    """The old and the new value that the only row of the log tells of."""
    told = Notification.objects.get().why
    return told.get("old"), told.get("new")


@pytest.fixture
def watch(declare):
    """Watch a field of a model, or what else is given, and nothing but that."""

    def watch(model, *triggers):
        whens = [Changed(when) if isinstance(when, str) else when for when in triggers]
        declare(model, Event("It", when=whens, phone_number=PHONE))

    return watch


@dataclass(frozen=True)
class Kind:
    """A field with a value, another one, other spellings of that, and how both are told."""

    field: str
    old: Any
    new: Any
    spelled: tuple[Any, ...] = ()
    told: tuple[Any, Any] | None = None
    written: str = ""
    model: type[models.Model] = Thing

    def __str__(self):
        return f"{self.model.__name__}.{self.field}: {self.old!r} to {self.new!r}"

    @property
    def attribute(self):
        return self.written or self.field


KINDS = [
    Kind("text", "a", "b", (Value("b"), Lower(Value("B")))),
    Kind("text", "", " ", told=("", " ")),
    Kind("text", "é", "e\u0301"),
    Kind("text", "a", "A"),
    Kind("text", "1", 2, ("2",), told=("1", "2")),
    Kind("body", "a", "b" * 300, told=("a", "b" * 199 + "…")),
    Kind("slug", "a-b", "a-c"),
    Kind("number", 1, 3, ("3", 3.0, F("number") + 0)),
    Kind("number", 2, "3", (3,), told=(2, 3)),
    Kind("number", 0, -1),
    Kind("big", 2**62, 2**62 + 1),
    Kind("flag", False, True, (1, "1", "True")),
    Kind("flag", True, 0, (False, "f"), told=(True, False)),
    Kind("ratio", 0.1, 0.1 + 0.2, ("0.30000000000000004", Decimal("0.30000000000000004"))),
    Kind("ratio", 1 / 3, 1e22),
    Kind("price", Decimal("1.00"), Decimal("1.5"), ("1.50", 1.5), told=("1.00", "1.50")),
    Kind("price", 1, Decimal("1.014"), (Decimal("1.01"), "1.012"), told=("1.00", "1.01")),
    Kind(
        "day",
        dt.date(2026, 1, 2),
        dt.date(2026, 1, 3),
        ("2026-01-03",),
        told=("2026-01-02", "2026-01-03"),
    ),
    Kind(
        "moment",
        MOMENT,
        MOMENT + dt.timedelta(milliseconds=1),
        ("2026-01-02T03:04:05.679Z", (MOMENT + dt.timedelta(milliseconds=1)).astimezone(NEW_YORK)),
        told=("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.679Z"),
    ),
    Kind("moment", MOMENT, MOMENT + dt.timedelta(microseconds=1), told=()),
    Kind("hour", dt.time(3, 4), dt.time(3, 5), ("03:05", "03:05:00"), ("03:04:00", "03:05:00")),
    Kind("hour", dt.time(3, 4), dt.time(3, 4, 0, 1), told=()),
    Kind(
        "length",
        dt.timedelta(hours=1),
        dt.timedelta(minutes=90),
        told=("P0DT01H00M00S", "P0DT01H30M00S"),
    ),
    Kind("length", dt.timedelta(0), dt.timedelta(microseconds=1), told=()),
    Kind("ident", IDENT, OTHER, (OTHER.hex, str(OTHER).upper()), told=(str(IDENT), str(OTHER))),
    Kind("data", {"a": 1}, {"a": 2, "b": [None]}, ({"b": [None], "a": 2},)),
    Kind("data", ["a", "b"], ["b", "a"]),
    Kind("data", "text", {"text": "x" * 300}, told=()),
    Kind("blob", b"\x00a", b"\xff\x00", (bytearray(b"\xff\x00"),), told=("<bytes>", "<bytes>")),
    Kind("file", "files/a.txt", "files/b.txt", told=()),
    Kind("address", "10.0.0.1", "10.0.0.2"),
    Kind("address", "10.0.0.1", "2001:0DB8::0001", ("2001:db8::1",), ("10.0.0.1", "2001:db8::1")),
    Kind("state", Thing.State.NEW, Thing.State.SOLD, ("sold",), told=("new", "sold")),
    Kind("state", "new", "sold", (Thing.State.SOLD,)),
    Kind("level", Thing.Level.LOW, Thing.Level.HIGH, (2, "2"), told=(1, 2)),
    Kind("renamed", "a", "b"),
    Kind("lower", "abc", "XyZ", ("xyz", "XYZ"), told=("abc", "xyz")),
    Kind("point", Point(1, 2), Point(1, 3), ("1,3",), told=([1, 2], [1, 3])),
    Kind("salted", "a", "b"),
    Kind("area", 2, 3, (3, "3"), told=(20, 30), written="width", model=Computed),
    Kind("shouted", "a", "b", told=("A", "B"), written="name", model=Computed),
    Kind("state", "new", "sold", model=Defaulted),
    Kind("made", MOMENT, MOMENT + dt.timedelta(days=1), told=(), model=Defaulted),
    Kind("text", "a", "b", model=ByUUID),
    Kind("text", "a", "b", model=ByRenamedKey),
    Kind("text", "a", "b", model=SelectedOnSave),
    Kind("text", "a", "b", model=Removable),
    Kind("text", "a", "b", model=Stamped),
    Kind("shouted", "a", "b", told=("A", "B"), written="text", model=Stamped),
]
if VENDOR != "postgresql":
    KINDS.append(Kind("half", 2, 3, (3, "3"), told=(12, 13), written="width", model=Computed))
if VENDOR == "postgresql":
    from django.db.backends.postgresql.psycopg_any import (
        DateTimeTZRange,
        NumericRange,
    )

    from tests.fields_app.models import PostgresThing

    KINDS += [
        Kind("tags", ["a"], ["a", "b"], (("a", "b"),), model=PostgresThing),
        Kind("tags", ["a", "b"], ["b", "a"], model=PostgresThing),
        Kind("tags", [], [None], model=PostgresThing),
        Kind("grid", [[1, 2]], [[1, 3]], ([["1", "3"]],), model=PostgresThing),
        Kind(
            "span",
            NumericRange(1, 3),
            NumericRange(1, 4),
            ((1, 4), NumericRange(1, 3, "[]")),
            told=(),
            model=PostgresThing,
        ),
        Kind("span", (1, 1), (None, 1), told=(), model=PostgresThing),
        Kind(
            "prices",
            (None, Decimal(2)),
            (None, Decimal("2.5")),
            ((None, Decimal("2.50")),),
            told=(),
            model=PostgresThing,
        ),
        Kind(
            "booked",
            (MOMENT, None),
            (MOMENT, MOMENT + dt.timedelta(microseconds=1)),
            (DateTimeTZRange(MOMENT, MOMENT + dt.timedelta(microseconds=1)),),
            told=(),
            model=PostgresThing,
        ),
    ]
OTHERS = {Computed: {"width": 1, "height": 10}}


def created(kind, value):
    return kind.model.objects.create(**{**OTHERS.get(kind.model, {}), kind.attribute: value})


def save(row, attribute, value):
    setattr(row, attribute, value)
    row.save()


@pytest.mark.parametrize("loaded", [False, True], ids=["created", "loaded"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_stored_change_fires_once_with_its_old_and_new_value(watch, kind, loaded):
    watch(kind.model, kind.field)
    row = created(kind, kind.old)
    if loaded:
        row = kind.model.objects.get(pk=row.pk)
    assert recorded() == []
    save(row, kind.attribute, kind.new)
    assert recorded() == ["It"]
    if kind.told != ():
        assert why() == (kind.told or (kind.old, kind.new))


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_same_value_saved_again_fires_never_however_it_is_spelled(watch, kind):
    watch(kind.model, kind.field)
    row = created(kind, kind.new)
    row.save()
    for value in (kind.new, *kind.spelled):
        save(row, kind.attribute, value)
        loaded = kind.model.objects.get(pk=row.pk)
        loaded.save()
        save(loaded, kind.attribute, value)
    assert recorded() == []


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_change_by_one_instance_is_none_for_a_stale_one_that_makes_it_too(watch, kind):
    watch(kind.model, kind.field)
    row = created(kind, kind.old)
    stale = kind.model.objects.get(pk=row.pk)
    for instance in (row, stale):
        save(instance, kind.attribute, kind.new)
    assert recorded() == ["It"]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_to_is_met_by_the_value_that_the_column_holds(watch, kind):
    row = created(kind, kind.old)
    stored = getattr(kind.model.objects.get(pk=created(kind, kind.new).pk), kind.field)
    watch(kind.model, Changed(kind.field, to=[stored]))
    for value in (kind.new, kind.old, kind.new):
        save(row, kind.attribute, value)
    assert recorded() == ["It", "It"]


NULLABLE = [
    kind
    for kind in KINDS
    if kind.model._meta.get_field(kind.field).null
    and kind.field != "file"  # for which Django stores an empty text
]


@pytest.mark.parametrize("kind", NULLABLE, ids=str)
def test_null_is_a_value_to_ask_for(watch, kind):
    watch(kind.model, Changed(kind.field, to=None))
    row = created(kind, None)
    save(row, kind.attribute, kind.new)
    assert recorded() == []
    save(row, kind.attribute, None)
    row.save()
    assert recorded() == ["It"]
    assert why()[1] is None


@pytest.mark.parametrize("kind", NULLABLE, ids=str)
def test_null_is_a_value_to_come_from(watch, kind):
    watch(kind.model, Changed(kind.field, from_=None))
    row = created(kind, None)
    row.save()
    save(row, kind.attribute, kind.old)
    save(row, kind.attribute, kind.new)
    assert recorded() == ["It"]
    assert why()[0] is None


@pytest.mark.parametrize(
    ("name", "to", "value"),
    [
        ("number", "3", 3),
        ("flag", "True", True),
        ("price", "1.5", Decimal("1.50")),
        ("day", "2026-01-03", dt.date(2026, 1, 3)),
        ("moment", "2026-01-02T03:04:05.678Z", MOMENT),
        ("hour", "03:05", dt.time(3, 5)),
        ("length", "01:30:00", dt.timedelta(minutes=90)),
        ("ident", OTHER.hex, OTHER),
        ("state", Thing.State.SOLD, "sold"),
        ("level", Thing.Level.HIGH, 2),
        ("level", "2", 2),
        ("address", "2001:0DB8::0001", "2001:db8::1"),
        ("point", "1,3", Point(1, 3)),
        ("data", [{"a": [1]}], {"a": [1]}),
        ("data", [[1, 2], "x"], [1, 2]),
        ("file", "files/b.txt", "files/b.txt"),
    ],
)
def test_a_declared_value_is_read_as_the_field_reads_it(watch, name, to, value):
    watch(Thing, Changed(name, to=to))
    row = Thing.objects.create()
    save(row, name, value)
    row.save()
    assert recorded() == ["It"]


def test_a_list_of_values_holds_each_of_them_and_a_list_within_it_is_one(watch):
    watch(Thing, Changed("data", to=[[1, 2]]))
    row = Thing.objects.create()
    for value in (1, [1, 2], [2, 1], [1, 2]):
        save(row, "data", value)
    assert recorded() == ["It", "It"]


# JSON, files and numbers that are none


def test_json_changed_in_place_is_a_change_each_time(watch):
    watch(Thing, "data")
    row = Thing.objects.create(data={"a": {"b": []}})
    for _ in range(2):
        row.data["a"]["b"].append("c")
        row.save()
        row.save()
    assert recorded() == ["It", "It"]


def test_json_null_and_the_column_s_null_read_the_same_and_are_no_change(watch):
    watch(Thing, "data")
    row = Thing.objects.create(data=None)
    save(row, "data", Value(None, models.JSONField()))
    assert recorded() == []


def test_json_true_is_not_the_number_one(watch):
    watch(Thing, "data")
    row = Thing.objects.create(data={"a": 1})
    save(row, "data", {"a": True})
    assert recorded() == ["It"]


def test_an_uploaded_file_is_a_change_of_its_name(watch):
    watch(Thing, "file")
    row = Thing.objects.create()
    row.file.save("a.txt", ContentFile(b"one"))
    row.save()
    assert recorded() == ["It"]
    save(row, "file", ContentFile(b"two", name="b.txt"))
    row.save()
    assert recorded() == ["It", "It"]


def test_a_file_is_told_by_its_name(watch):
    watch(Thing, "file")
    row = Thing.objects.create(file="files/a.txt")
    save(row, "file", "files/b.txt")
    assert why() == ("files/a.txt", "files/b.txt")


def test_two_moments_of_one_millisecond_are_told_apart(watch):
    watch(Thing, "moment")
    row = Thing.objects.create(moment=MOMENT)
    save(row, "moment", MOMENT + dt.timedelta(microseconds=1))
    old, new = why()
    assert old != new


if VENDOR == "postgresql":

    def test_a_range_is_told_in_words(watch):
        watch(PostgresThing, "span")
        row = PostgresThing.objects.create(span=(1, 3))
        save(row, "span", (1, 4))
        assert why() == ("[1, 3)", "[1, 4)")

    def test_not_a_number_saved_again_is_no_change(watch):
        watch(Thing, "ratio")
        row = Thing.objects.create(ratio=1)
        save(row, "ratio", math.nan)
        row.save()
        assert recorded() == ["It"]


# Relations


@pytest.fixture
def depots():
    return [Depot.objects.create(name=name, code=f"d-{name}") for name in ("one", "two")]


@pytest.mark.parametrize("watched", ["depot", "depot_id"])
@pytest.mark.parametrize("assigned", ["depot", "depot_id"])
def test_a_foreign_key_is_watched_by_either_name_whichever_is_assigned(
    watch, depots, watched, assigned
):
    watch(Thing, watched)
    row = Thing.objects.create(depot=depots[0])
    value = depots[1] if assigned == "depot" else depots[1].pk
    for _ in range(2):
        save(row, assigned, value)
    assert recorded() == ["It"]
    assert why() == (depots[0].pk, depots[1].pk)


@pytest.mark.parametrize("name", ["depot", "depot_id"])
def test_update_fields_may_name_a_foreign_key_either_way(watch, depots, name):
    watch(Thing, "depot")
    row = Thing.objects.create()
    row.depot = depots[0]
    row.save(update_fields=["text"])
    assert recorded() == []
    row.save(update_fields=[name])
    assert recorded() == ["It"]


def test_a_foreign_key_to_another_column_holds_that_columns_value(watch, depots):
    watch(Thing, Changed("depot_by_code", to="d-two"))
    row = Thing.objects.create(depot_by_code=depots[0])
    for depot in (depots[1], depots[0], depots[1]):
        for _ in range(2):
            save(row, "depot_by_code", depot)
    assert recorded() == ["It", "It"]
    assert Notification.objects.first().why["old"] == "d-one"
    assert Notification.objects.first().why["new"] == "d-two"


@pytest.mark.parametrize("name", ["depot", "only_depot"])
@pytest.mark.parametrize("given", [lambda depot: depot.pk, lambda depot: str(depot.pk)])
def test_a_foreign_keys_target_may_be_declared_by_its_key(watch, depots, name, given):
    watch(Thing, Changed(name, to=given(depots[1])))
    row = Thing.objects.create()
    for depot in (*depots, None, depots[1]):
        save(row, name, depot)
    assert recorded() == ["It", "It"]


@pytest.mark.parametrize("name", ["depot", "depot_by_code", "only_depot"])
def test_a_foreign_keys_target_may_be_declared_as_the_object(watch, depots, name):
    watch(Thing, Changed(name, from_=depots[0], to=depots[1]))
    row = Thing.objects.create(**{name: depots[0]})
    save(row, name, depots[1])
    assert recorded() == ["It"]


def test_a_one_to_one_relation_is_watched_like_a_foreign_key(watch, depots):
    watch(Thing, "only_depot")
    row = Thing.objects.create(only_depot=depots[0])
    for value in (depots[1], depots[1], None, None):
        save(row, "only_depot", value)
    assert recorded() == ["It", "It"]


def test_a_relation_that_is_the_key_is_found(watch, depots):
    watch(ByDepot, Created(), "text", Deleted())
    row = ByDepot.objects.create(depot=depots[0], text="a")
    for _ in range(2):
        save(row, "text", "b")
    row.delete()
    assert recorded() == ["It", "It", "It"]
    assert set(Notification.objects.values_list("source_id", flat=True)) == {str(depots[0].pk)}


def test_a_cascade_is_recorded_for_the_row_that_goes_along(watch, depots):
    watch(ByName, Deleted())
    ByName.objects.create(name="a", depot=depots[0])
    depots[0].delete()
    assert Notification.objects.get().source_id == "a"


def test_a_relation_to_several_has_no_column_that_could_change(watch, depots):
    watch(Account, "depots")
    row = Account.objects.create()
    row.depots.add(*depots)
    row.save()
    assert recorded() == []


@pytest.mark.parametrize("name", ["depot_id", "depot"])
def test_a_payload_may_read_a_foreign_keys_own_column(declare, depots, name):
    declare(
        Thing,
        Event("It", when=Changed("text"), phone_number=PHONE, payload={"depot": "depot_id"}),
        Event("Its", when=Changed("text"), phone_number=PHONE, only_if=If(name, "is_set")),
    )
    rows = [Thing.objects.create(text="a", depot=depot) for depot in depots]
    save(rows[0], "text", "b")
    with capture_changes(Thing.objects.all()):
        Thing.objects.update(text="c")
    told = [row.payload["depot"] for row in Notification.objects.filter(event_name="It")]
    assert sorted(told) == [depots[n].pk for n in (0, 0, 1)]
    assert len(recorded()) == 6


# Columns that something else fills


def test_a_column_that_each_save_stamps_changes_with_each_save(watch):
    watch(Stamped, "touched")
    row = Stamped.objects.create(text="a")
    row.save()
    row.save(update_fields=["touched"])
    assert recorded() == ["It", "It"]
    row.save(update_fields=["text"])
    assert recorded() == ["It", "It"]


def test_a_column_that_only_an_insert_stamps_never_changes(watch):
    watch(Stamped, "made")
    row = Stamped.objects.create(text="a")
    save(row, "text", "b")
    Stamped.objects.get(pk=row.pk).save()
    assert recorded() == []


@pytest.mark.parametrize("name", ["area", "shouted"])
def test_a_computed_column_of_a_loaded_row_is_read_after_the_write(watch, name):
    watch(Computed, name)
    pk = Computed.objects.create(width=1, height=10, name="a").pk
    row = Computed.objects.get(pk=pk)
    row.width, row.name = 2, "b"
    row.save()
    row.save()
    assert recorded() == ["It"]
    assert why() == {"area": (10, 20), "shouted": ("A", "B")}[name]


def test_a_computed_column_is_watched_though_update_fields_can_not_name_it(watch):
    watch(Computed, Changed("area", to=20))
    row = Computed.objects.create(width=1, height=10)
    row.width = 2
    row.save(update_fields=["width"])
    assert recorded() == ["It"]


def test_a_row_that_the_database_filled_in_fires_with_what_it_holds(watch):
    watch(Defaulted, Changed("state", to="new", on_create=True))
    row = Defaulted.objects.create()
    assert recorded() == ["It"]
    assert why() == (None, "new")
    row.refresh_from_db()
    row.save()
    Defaulted.objects.create(state="sold")
    assert recorded() == ["It"]


def test_a_default_of_the_database_written_over_another_value_is_a_change(watch):
    watch(Defaulted, "number")
    row = Defaulted.objects.create(number=1)
    save(row, "number", Defaulted._meta.get_field("number").get_default())
    row.save()
    assert recorded() == ["It"]
    assert why() == (1, 5)


# Keys


KEYS = [
    (ByUUID, {}),
    (ByUUID, {"pk": IDENT}),
    (ByRenamedKey, {}),
    (ByRenamedKey, {"pk": 7}),
    (ByName, {"name": "a b/é"}),
    (ByPair, {"tenant": "x", "number": 7}),
]


@pytest.mark.parametrize(("model", "keys"), KEYS)
def test_a_row_of_any_key_is_followed_from_its_creation_to_its_deletion(watch, model, keys):
    watch(model, Created(), "text", Deleted())
    row = model.objects.create(**keys, text="a")
    assert recorded() == ["It"]
    for _ in range(2):
        save(row, "text", "b")
    loaded = model.objects.get(pk=row.pk)
    loaded.text = "c"
    loaded.save(update_fields=["text"])
    model.objects.update_or_create(**keys or {"pk": row.pk}, defaults={"text": "d"})
    assert recorded() == ["It", "It", "It", "It"]
    loaded.delete()
    rows = Notification.objects.order_by("id")
    assert [row.why["transition"] for row in rows] == ["created", *3 * ["changed"], "deleted"]
    assert len({row.source_id for row in rows}) == 1
    assert {row.status for row in rows} == {"pending"}


@pytest.mark.parametrize(("model", "keys"), KEYS)
def test_bulk_writes_follow_a_row_of_any_key(watch, model, keys):
    watch(model, Changed("text", to="b"))
    row = model.objects.create(**keys, text="a")
    with capture_changes(model.objects.all()):
        model.objects.update(text="b")
    EventQuerySet(model).update(text="c")
    row.text = "b"
    EventQuerySet(model).bulk_update([row], ["text"])
    assert recorded() == ["It", "It"]


@pytest.mark.parametrize(("model", "keys"), KEYS)
def test_the_log_names_a_row_so_that_it_can_be_found_again(watch, model, keys):
    watch(model, Created())
    row = model.objects.create(**keys, text="a")
    key = model._meta.pk.to_python(Notification.objects.get().source_id)
    assert model.objects.get(pk=key) == row


@pytest.mark.parametrize(
    ("model", "keys"),
    [
        (ByUUID, {"pk": IDENT}),
        (ByRenamedKey, {"pk": 7}),
        (ByName, {"name": "a"}),
        (ByPair, {"tenant": "x", "number": 7}),
    ],
)
def test_an_instance_built_by_hand_is_compared_with_the_row_of_its_key(watch, model, keys):
    watch(model, "text")
    model.objects.create(**keys, text="a")
    row = model(**keys, text="b")
    row._state.adding = False
    row.save()
    row.save(force_update=True)
    assert recorded() == ["It"]


@pytest.mark.parametrize(
    ("model", "key", "told"),
    [(ByUUID, IDENT.hex.upper(), str(IDENT)), (ByRenamedKey, "07", "7"), (ByName, 7, "7")],
)
def test_a_key_is_told_as_the_row_holds_it_however_it_was_given(watch, model, key, told):
    watch(model, Created(), "text")
    row = model.objects.create(pk=key, text="a")
    save(row, "text", "b")
    assert recorded() == ["It", "It"]
    assert set(Notification.objects.values_list("source_id", flat=True)) == {told}


def test_bulk_created_rows_may_be_given_keys_that_the_database_spells_otherwise(watch):
    watch(ByUUID, Created())
    keys = [IDENT.hex.upper(), str(OTHER)]
    EventQuerySet(ByUUID).bulk_create([ByUUID(pk=key, text="a") for key in keys])
    assert recorded() == ["It", "It"]


def test_two_rows_that_share_half_of_a_composite_key_are_two(watch):
    watch(ByPair, Changed("text", to="b"))
    one, two = (ByPair.objects.create(tenant="x", number=n, text="a") for n in (1, 2))
    ByPair.objects.create(tenant="y", number=1, text="b")
    for row in (two, one, two):
        save(row, "text", "b")
    assert recorded() == ["It", "It"]
    assert len(set(Notification.objects.values_list("source_id", flat=True))) == 2


def test_a_composite_key_with_another_part_is_another_row(watch):
    watch(ByPair, Created(), "text")
    row = ByPair.objects.create(tenant="x", number=1, text="a")
    save(row, "number", 2)
    assert recorded() == ["It", "It"]
    assert [row.why["transition"] for row in Notification.objects.all()] == ["created", "created"]


def test_the_queryset_and_the_cascade_delete_rows_of_composite_keys(watch, depots):
    watch(ByPair, Deleted())
    for number in range(3):
        ByPair.objects.create(tenant="x", number=number, depot=depots[number // 2])
    depots[0].delete()
    ByPair.objects.all().delete()
    assert recorded() == ["It", "It", "It"]


# Tables and managers


def test_a_row_that_its_write_hides_from_every_manager_is_recorded(watch):
    watch(Removable, Changed("deleted", to=True))
    row = Removable.objects.create(text="a")
    save(row, "deleted", True)
    assert not Removable._base_manager.filter(pk=row.pk).exists()
    notification = Notification.objects.get()
    assert (notification.status, notification.source_id) == ("pending", str(row.pk))


def test_rows_in_an_order_are_followed_and_so_is_their_place(declare, depots):
    declare(
        Ordered,
        Event("Created", when=Created(), phone_number=PHONE),
        Event("Changed", when=Changed("text"), phone_number=PHONE),
        Event("Moved", when=Changed("_order"), phone_number=PHONE),
    )
    rows = [Ordered.objects.create(depot=depots[0], text="a") for _ in range(2)]
    for _ in range(2):
        save(rows[1], "text", "b")
    assert recorded() == ["Created", "Created", "Changed"]
    save(rows[0], "_order", 5)
    assert recorded() == ["Created", "Created", "Changed", "Moved"]


def test_a_save_that_names_its_database_is_a_save_like_any_other(watch):
    watch(Thing, "text")
    row = Thing.objects.using("default").create(text="a")
    row.text = "b"
    row.save(using="default")
    row.save(using="default")
    assert recorded() == ["It"]


def test_a_model_that_django_does_not_manage_is_captured(watch):
    watch(ThingView, "text")
    row = ThingView.objects.get(pk=Thing.objects.create(text="a").pk)
    for _ in range(2):
        save(row, "text", "b")
    assert recorded() == ["It"]
    assert Notification.objects.get().source_model == "kinds.thingview"


@pytest.mark.parametrize("model", [Letter, WatchedLetter])
def test_what_only_a_proxy_declares_holds_for_every_write_of_the_table(model):
    row = model.objects.create(text="a")
    for _ in range(2):
        save(row, "text", "b")
    assert recorded() == ["LetterChanged"]
    assert Notification.objects.get().source_model == "kinds.letter"
