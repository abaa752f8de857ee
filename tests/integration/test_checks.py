"""Django's system checks find what is declared or configured wrongly, each by its own id."""

from __future__ import annotations

import inspect
import re
from importlib.util import find_spec
from pathlib import Path as File

import pytest
from django.contrib import admin
from django.core import checks
from django.db.models import Model

import chatitive_django.checks
from chatitive_django import (
    Added,
    Changed,
    Constant,
    Created,
    Event,
    If,
    InvalidEvent,
    Path,
    Removed,
    registry,
)
from chatitive_django.admin import MessagesMixin
from chatitive_django.apps import watch
from chatitive_django.checks.admins import check_admins
from tests.desk.models import Customer, Parcel, Person, Shape, Ticket, TicketProxy, Trackable
from tests.fields_app.models import (
    Account,
    ByDepot,
    ByName,
    ByPair,
    Computed,
    Defaulted,
    Depot,
    Thing,
    ThingView,
    WatchedLetter,
)

URL = "chatitive://SID:s3cr3t@api.essential.to/p03Gjl8Uzn0RkZSpHXHnrw"
PHONE = Constant("206-555-0100")
TASKS = "django.tasks" if find_spec("django.tasks") else "django_tasks"


def messages():
    return checks.run_checks(tags=["chatitive_django"])


def found():
    return sorted((message.id.partition(".")[2], message.msg) for message in messages())


@pytest.fixture
def configure(settings):
    def configure(**keys):
        settings.CHATITIVE = {"API_URLS": {"default": URL}, "DISPATCHER": "worker", **keys}

    configure()
    return configure


pytestmark = pytest.mark.usefixtures("configure")


def test_a_sound_project_has_no_findings():
    assert found() == []


# Settings


@pytest.mark.parametrize(
    ("keys", "number", "told"),
    [
        ({"CONCURENCY": 1}, "E001", "Did you mean 'CONCURRENCY'?"),
        ({"DISPATCHER": "embeded"}, "E001", "Did you mean 'embedded'?"),
        ({"DISPATCHER": "chatitive_django.models.Notification"}, "E001", "is no Dispatcher"),
        ({"DISPATCHER": 5}, "E001", "must be a name"),
        ({"API_URLS": 5}, "E001", "must be a dict of channel alias"),
        ({"LEASE": 50}, "E002", "less than twice"),
        ({"API_URLS": {}}, "E003", "names no channel"),
        ({"API_URLS": {"default": "s3cr3t"}}, "E003", "must look like chatitive://"),
        ({"API_URLS": {"default": "console://"}}, "E004", "sends nothing, and DEBUG is off"),
    ],
)
def test_settings(configure, monkeypatch, keys, number, told):
    monkeypatch.setattr("chatitive_django.conf.in_test_environment", lambda: False)
    configure(**keys)
    findings = [(n, text) for n, text in found() if n != "E009"]
    assert [n for n, _ in findings] == [number]
    assert told in findings[0][1]
    assert "s3cr3t" not in findings[0][1]


def test_a_django_whose_writes_have_another_shape_is_refused(monkeypatch):
    monkeypatch.setattr(Model, "_save_table", lambda self, new_parameter: None)
    assert [number for number, _ in found()] == ["E005"]


def test_sqlite_is_asked_to_begin_transactions_as_the_writer(configure):
    from django.db import connection

    if connection.vendor != "sqlite":
        return
    options = connection.settings_dict["OPTIONS"]
    mode = options.pop("transaction_mode")
    try:
        assert [number for number, _ in found()] == ["W001"]
        configure(DISPATCHER="immediate")
        assert found() == []
    finally:
        options["transaction_mode"] = mode


@pytest.mark.parametrize(
    ("backend", "numbers"),
    [
        (f"{TASKS}.backends.immediate.ImmediateBackend", ["W004"]),
        (f"{TASKS}.backends.dummy.DummyBackend", ["W004"]),
        (None, ["W004"]),
        ("django_tasks_db.DatabaseBackend", []),
    ],
)
def test_tasks_without_a_worker_are_told_of_in_production(configure, settings, backend, numbers):
    configure(DISPATCHER="tasks")
    settings.TASKS = {"default": {"BACKEND": backend}} if backend else {}
    assert [number for number, _ in found()] == numbers
    settings.DEBUG = True
    assert found() == []
    settings.DEBUG = False
    configure(DISPATCHER="worker")
    assert found() == []


# Events


def event(**options):
    return Event(**{"name": "Bad", "when": Created(), "phone_number": PHONE, **options})


@pytest.mark.parametrize(
    ("model", "options", "number", "told"),
    [
        (Shape, {"phone_number": None}, "E006", "names no subscriber"),
        (Shape, {"subscribe_new": True}, "E006", "subscribe_new needs allow_new"),
        (Shape, {"when": Changed("state", from_="a", to="a")}, "E006", "never fires"),
        (
            Shape,
            {"when": Changed("stat")},
            "E007",
            "'stat' is no stored field of Shape. Did you mean 's",
        ),
        (Shape, {"when": Changed("get_state")}, "E007", "'get_state' is no stored field of Shape."),
        (Shape, {"when": Changed("shape")}, "E007", "Its column is in Shape: watch that model."),
        (Account, {"when": Changed("owner")}, "E007", "Watch 'owner_type' and 'owner_id'."),
        (ByPair, {"when": Changed("pk")}, "E007", "'pk' is no stored field of ByPair."),
        (Shape, {"phone_number": "shape"}, "E008", "Did you mean 'shape_set'?"),
        (Shape, {"only_if": If(3, "is_set")}, "E008", "only_if reads 3, and it is no path"),
        (Shape, {"channel": "sales"}, "E009", "'sales' is no channel"),
        (Thing, {"when": Changed("state", to="sould")}, "E012", "Did you mean 'sold'?"),
        (
            Thing,
            {"when": Changed("state", from_=["new", "gone"], to="sold")},
            "E012",
            "from_ is 'gone', which is none of the choices of Thing.state. Known are: new, sold.",
        ),
        (Thing, {"when": Changed("state", to="Sold")}, "E012", "'sold', whose label that is?"),
        (Thing, {"when": Changed("level", to=3)}, "E012", "Known are: 1, 2."),
        (Thing, {"when": Changed("level", to=["2", "3"])}, "E012", "to is '3', which is none"),
        (Account, {"when": Changed("plan", to="golden")}, "E012", "Did you mean 'gold'?"),
        (Account, {"when": Changed("colour", to="green")}, "E012", "Did you mean 'g', whose"),
        (
            Thing,
            {"when": Changed("number", to="x")},
            "E013",
            "Changed('number') to is 'x', which Thing.number (IntegerField) can't hold.",
        ),
        (Thing, {"when": Changed("level", to="High")}, "E013", "Did you mean 2, whose label"),
        (Thing, {"when": Changed("flag", to="maybe")}, "E013", "(BooleanField) can't hold"),
        (Thing, {"when": Changed("price", to="1,50")}, "E013", "(DecimalField) can't hold"),
        (Thing, {"when": Changed("moment", to="today")}, "E013", "(DateTimeField) can't hold"),
        (Thing, {"when": Changed("ident", from_="7")}, "E013", "(UUIDField) can't hold"),
        (Thing, {"when": Changed("depot", to="one")}, "E013", "(ForeignKey) can't hold"),
        (Account, {"when": Changed("plan", to=None)}, "E013", "Account.plan is never NULL."),
        (Account, {"when": Changed("token_count", from_=None)}, "E013", "from_ is None"),
        (
            Account,
            {"when": Changed("depots")},
            "E016",
            "has no column that changes: use Added('depots') or Removed('depots').",
        ),
        (Depot, {"when": Changed("many_accounts")}, "E016", "use Added('many_accounts')"),
        (
            Account,
            {"when": Added("depts")},
            "E017",
            "'depts', which is no many-to-many relation of Account. Did you mean 'depots'?",
        ),
        (Account, {"when": Removed("depot")}, "E017", "Use Changed('depot')."),
        (Account, {"when": Added(3)}, "E017", "Added watches 3, which is no many-to-many relati"),
        (Account, {"when": Added("owner_type_id")}, "E017", "Use Changed('owner_type_id')."),
        (Account, {"when": Changed("id")}, "E018", "in the primary key of Account"),
        (ByName, {"when": Changed("name", to="x")}, "E018", "is another record. Use Created()."),
        (ByDepot, {"when": Changed("depot_id")}, "E018", "in the primary key of ByDepot"),
        (ByPair, {"when": Changed("tenant")}, "E018", "in the primary key of ByPair"),
        (Shape, {"name": " Bad"}, "W003", "its name ' Bad' begins or ends with blanks"),
        (Shape, {"name": "Bad\n"}, "W003", "a workflow that listens for 'Bad' never hears of it"),
    ],
)
def test_an_event_that_can_not_work_is_told_with_its_place(declare, model, options, number, told):
    declare(model, event(**options))
    [(id_, text)] = found()
    assert id_ == number
    assert text.startswith(f"{model.__name__}.chatitive_events[0]: ")
    assert told in text


@pytest.mark.parametrize(
    ("model", "trigger"),
    [
        (Thing, Changed("state", to=Thing.State.SOLD)),
        (Thing, Changed("state", from_=["new", ""], to=[None, "sold"])),
        (Thing, Changed("level", to=["2", Thing.Level.LOW])),
        (Thing, Changed("depot", to="3")),
        (Thing, Changed("depot_id", from_=None)),
        (Thing, Changed("data", to=[[1, {}], None])),
        (Thing, Changed("number", to="3")),
        (Account, Changed("plan", from_="", to=["gold", "free"])),
        (Account, Changed("colour", to=["r", None])),
        (Account, Added("depots")),
        (Depot, [Added("many_accounts"), Removed("many_accounts")]),
        (Computed, Changed("area", from_=None, to=4)),
        (Defaulted, Changed("state", to="new", on_create=True)),
        (ByName, Changed("name", to="x", on_create=True)),
        (ByPair, [Created(), Changed("text")]),
        (ThingView, Changed("text")),
        (TicketProxy, Changed("agent", to=None)),
    ],
)
def test_an_event_that_works_is_not_told_of(declare, model, trigger):
    declare(model, event(when=trigger))
    assert found() == []


def test_a_value_that_a_field_refuses_by_another_error_than_its_own_is_told(monkeypatch):
    monkeypatch.setattr(
        Thing, "chatitive_events", [event(when=Changed("day", to=3))], raising=False
    )
    assert [number for number, _ in found()] == ["E013"]


def test_two_events_of_one_key_are_told_with_both_places(declare):
    declare(Shape, event(key="k"), event(name="Other", key="k"))
    [(number, text)] = found()
    assert number == "E010"
    assert "Shape.chatitive_events[1]" in text
    assert "Shape.chatitive_events[0]" in text


def test_two_events_of_one_name_in_one_place_are_two_of_one_key(declare):
    declare(Shape, event(), event(when=Created()))
    [(number, text)] = found()
    assert number == "E010"
    assert "its key 'desk.Shape:Bad'" in text
    declare(Shape, event(), event(when=Created(), key="created"))
    assert found() == []


def test_a_model_that_is_written_to_another_database_is_told(declare, settings):
    class Elsewhere:
        def db_for_write(self, model, **hints):
            return "elsewhere" if model is Shape else None

    declare(Shape, event())
    settings.DATABASE_ROUTERS = [Elsewhere()]
    [(number, text)] = found()
    assert number == "E011"
    assert "Shape is written to another database than the log" in text
    assert "Route both to the same database." in text


@pytest.mark.parametrize(
    ("events", "place", "told"),
    [
        (event(), "Account.chatitive_events: ", "a list of events, [Event(...)], and it is of typ"),
        ({"a": event()}, "Account.chatitive_events: ", "of type dict."),
        ((each for each in [event()]), "Account.chatitive_events: ", "of type generator."),
        ("Bad", "Account.chatitive_events: ", "of type str."),
        ([event(), "Bad"], "Account.chatitive_events[1]: ", "'Bad' is no Event."),
        ([Event], "Account.chatitive_events[0]: ", "is no Event."),
    ],
)
def test_what_is_no_list_of_events_is_told(monkeypatch, events, place, told):
    monkeypatch.setattr(Account, "chatitive_events", events, raising=False)
    [(number, text)] = found()
    assert number == "E014"
    assert text.startswith(place)
    assert told in text


@pytest.mark.parametrize(
    "events",
    [event(), [event(), "Bad"], "Bad", [event(when=Changed("day", to=3))]],
    ids=["no list", "no event within", "text", "a value that the field refuses"],
)
def test_a_wrong_declaration_does_not_keep_the_project_from_its_checks(monkeypatch, events):
    monkeypatch.setattr(Thing, "chatitive_events", events, raising=False)
    registry.forget_plans()
    try:
        watch(Thing)
    finally:
        monkeypatch.undo()
        registry.forget_plans()


def test_a_list_of_paths_is_asked_for_when_they_are_registered(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})
    with pytest.raises(InvalidEvent, match=r"register\(Account\): fields must be a list"):
        registry.register(Account, fields="plan")


def test_declarations_that_only_a_proxy_makes_are_checked(monkeypatch):
    assert WatchedLetter.chatitive_events
    monkeypatch.setattr(WatchedLetter, "chatitive_events", [event(when=Changed("txt"))])
    [(number, text)] = found()
    assert number == "E007"
    assert text.startswith("WatchedLetter.chatitive_events[0]: 'txt' is no stored field of Watched")


# Paths


PATHS = [
    ("pasword", "Account has no 'pasword'. Did you mean 'password'?"),
    ("depot.nme", "Depot has no 'nme'. Did you mean 'name'?"),
    ("_state.db", "'_state' is private"),
    ("depot._meta", "'_meta' is private"),
    ("owner_type_id.model", ""),
    ("close", "'close' changes data: a path may only read."),
    ("delete", "'delete' changes data"),
    ("depot.delete", "'delete' changes data"),
    ("greeting", "'greeting' needs arguments, and a path gives none."),
    ("objects", "'objects' is a manager, which a record hasn't."),
    ("depots", "'depots' leads to several records: name what you want, as in 'depots.count'."),
    ("depots.nme", "the relation 'depots' has no 'nme'."),
    ("depots.clear", "'clear' changes data"),
    ("depots._db", "'_db' is private"),
    ("depot.accounts", "'accounts' leads to several records"),
    ("depot..name", "it is no path: write names with dots, as in 'agent.name'."),
    ("", "it is no path"),
]
WRONG = [(path, told) for path, told in PATHS if told]


def only(findings, number):
    return [text for found_number, text in findings if found_number == number]


@pytest.mark.parametrize(("path", "told"), WRONG)
@pytest.mark.parametrize(
    ("what", "options"),
    [
        ("payload 'x'", lambda path: {"payload": {"x": path}}),
        ("payload 'x'", lambda path: {"payload": {"x": [{"y": [path]}]}}),
        ("phone_number", lambda path: {"phone_number": path}),
        ("subscriber_sid", lambda path: {"subscriber_sid": path}),
        ("only_if", lambda path: {"only_if": If(path, "is_set")}),
    ],
)
def test_a_path_that_can_not_be_read_is_told_wherever_it_stands(declare, what, options, path, told):
    declare(Account, event(**options(path)))
    [text] = only(found(), "E008")
    assert text.startswith(f"Account.chatitive_events[0]: {what} reads {path!r}, and ")
    assert told in text


@pytest.mark.parametrize(("path", "told"), [each for each in WRONG if each[0] != "depots"])
def test_a_path_for_rules_that_can_not_be_read_is_told(monkeypatch, path, told):
    monkeypatch.setattr(Account, "chatitive_fields", ["plan", path], raising=False)
    [text] = only(found(), "E015")
    assert text.startswith(f"Account.chatitive_fields[1]: it reads {path!r}, and ")
    assert told in text


def test_a_relation_to_several_may_be_offered_for_rules_to_watch(monkeypatch):
    monkeypatch.setattr(Account, "chatitive_fields", ["depots"], raising=False)
    assert found() == []


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("depot", "that is a Depot, no JSON value: name one of its fields."),
        ("owner", "that is a record, no JSON value"),
        ("badge", "that is a file, no JSON value: write 'badge.url' or 'badge.name'."),
        ("blob", "that is binary data, no JSON value."),
    ],
)
@pytest.mark.parametrize("name", ["payload", "phone_number"])
def test_a_payload_or_subscriber_that_is_no_json_is_told(declare, name, path, told):
    declare(Account, event(**{name: {"x": path} if name == "payload" else path}))
    [(number, text)] = found()
    assert number == "E008"
    assert told in text


def test_a_condition_and_a_rule_may_ask_for_a_record_or_a_file(declare, monkeypatch):
    monkeypatch.setattr(Account, "chatitive_fields", ("depot", "badge"), raising=False)
    declare(Account, event(only_if=[If("depot", "is_set"), If("badge", "is_set")]))
    assert found() == []


@pytest.mark.parametrize(
    "path",
    [
        "pk",
        "plan",
        "depot_id",
        "depot.name",
        "badge.url",
        "patron",
        "motto",
        "currency",
        "get_plan_display",
        "owner_type.model",
        "token_count",
    ],
)
def test_a_path_that_can_be_read_is_not_told_of(declare, monkeypatch, path):
    monkeypatch.setattr(Account, "chatitive_fields", {path}, raising=False)
    declare(
        Account,
        event(payload={"x": path, "y": Path(path, fallback="")}, only_if=If(path, "is_set")),
    )
    assert found() == []


@pytest.mark.parametrize(
    ("name", "value", "source"),
    [
        ("__getattr__", lambda self, name: 1, "anything"),
        ("largest", max, "largest"),
        ("shown", property(str), lambda shape: shape.shown),
    ],
    ids=["any name", "a function that doesn't tell its arguments", "a callable"],
)
def test_what_can_not_be_known_is_believed(declare, monkeypatch, name, value, source):
    monkeypatch.setattr(Shape, name, value, raising=False)
    declare(Shape, event(payload={"x": source}))
    assert found() == []


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ("plan", 'Account.chatitive_fields: it must be a list of paths, ["agent.name"], and it i'),
        ({"plan": "Plan"}, "and it is of type dict."),
        (["plan", 3], "Account.chatitive_fields[1]: it reads 3, and it is no path: write"),
    ],
)
def test_what_is_no_list_of_paths_is_told(monkeypatch, fields, told):
    monkeypatch.setattr(Account, "chatitive_fields", fields, raising=False)
    [(number, text)] = found()
    assert number == "E015"
    assert told in text


def test_what_an_abstract_parent_declares_is_checked_for_each_model_that_inherits_it(monkeypatch):
    monkeypatch.setattr(Trackable, "chatitive_fields", ["step", "stp"], raising=False)
    monkeypatch.setattr(Trackable, "chatitive_events", [event(when=Changed("stp"))])
    monkeypatch.setattr(Parcel, "chatitive_events", [])
    assert [(number, text.partition(":")[0]) for number, text in found()] == [
        ("E007", "Trackable.chatitive_events[0]"),
        ("E015", "Trackable.chatitive_fields[1]"),
    ]
    assert {message.obj for message in messages()} == {Parcel}


def test_what_a_concrete_parent_declares_is_told_once(monkeypatch):
    monkeypatch.setattr(Person, "chatitive_fields", ["nickame"], raising=False)
    monkeypatch.setattr(Person, "chatitive_events", [event(when=Changed("nickame"))])
    assert [number for number, _ in found()] == ["E007", "E015"]
    assert {message.obj for message in messages()} == {Person}


def test_paths_that_are_registered_for_a_model_of_others_are_checked(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})
    registry.register(Account, fields=["plan", "pln"])
    [(number, text)] = found()
    assert number == "E015"
    assert text.startswith("register(Account, fields=[...])[1]: it reads 'pln', and ")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"payload": {"x": 5}}, "payload 'x' holds 5, which is no path, Constant or callable."),
        ({"payload": {"x": [{"y": True}]}}, "Write Constant(True)."),
        ({"payload": {"x": None}}, "Write Constant(None)."),
        ({"phone_number": 2065550100}, "phone_number holds 2065550100"),
    ],
)
def test_a_value_that_is_none_a_payload_takes_is_told(declare, options, told):
    declare(Account, event(**options))
    [(number, text)] = found()
    assert number == "E019"
    assert told in text


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"payload": {"x": "password"}}, "payload 'x' reads 'password', which looks like a secret"),
        ({"payload": {"x": [{"y": Path("apiToken")}]}}, "reads 'apiToken'"),
        ({"phone_number": "password"}, "phone_number reads 'password'"),
        ({"only_if": If("password", "is_set")}, "only_if reads 'password'"),
        ({"when": Changed("password")}, "Changed watches 'password'"),
    ],
)
def test_a_secret_looking_field_is_told_wherever_it_stands(declare, options, told):
    declare(Account, event(**options))
    [(number, text)] = found()
    assert number == "W002"
    assert told in text
    assert "SILENCED_SYSTEM_CHECKS" in messages()[0].hint


def test_a_secret_looking_field_is_told_among_the_paths_for_rules(monkeypatch):
    monkeypatch.setattr(Account, "chatitive_fields", ["apiToken", "token_count"], raising=False)
    [(number, text)] = found()
    assert number == "W002"
    assert text.startswith("Account.chatitive_fields[0]: it reads 'apiToken', which looks like a s")


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "user.password",
        "passwd",
        "password_hash",
        "token",
        "reset_token",
        "tokens",
        "resetToken",
        "APIKey",
        "api_key",
        "apikey",
        "client_secret",
        "secret_key",
        "private_key",
        "accessKey",
        "credentials",
        "ssn",
        "cvv",
        "data.api_key",
    ],
)
def test_names_that_look_like_secrets(name):
    from chatitive_django.checks.sources import looks_secret

    assert looks_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "author",
        "key",
        "token_count",
        "tokens_used",
        "password_changed_at",
        "has_password",
        "secretary",
        "secretary.name",
        "secret_santa",
        "public_key",
        "lesson",
    ],
)
def test_names_that_do_not_look_like_secrets(name):
    from chatitive_django.checks.sources import looks_secret

    assert not looks_secret(name)


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("depots.count", "depots"),
        ("depot.accounts.first.plan", "accounts"),
        ("patron.name", "patron"),
        ("owner.name", "owner"),
    ],
)
@pytest.mark.parametrize("name", ["payload", "only_if", "chatitive_fields"])
def test_a_path_that_costs_a_query_is_told_as_information(declare, monkeypatch, name, path, part):
    if name == "chatitive_fields":
        monkeypatch.setattr(Account, name, [path], raising=False)
    else:
        value = {"x": path} if name == "payload" else If(path, "is_set")
        declare(Account, event(**{name: value}))
    [message] = messages()
    assert message.id == "chatitive_django.I001"
    assert message.level == checks.INFO
    assert f"reads {path!r}, and {part!r} can't be read along with the record" in message.msg


# The project's own admins


def test_an_admin_that_names_the_person_by_no_path_is_an_error(monkeypatch):
    monkeypatch.setattr(admin.sites, "all_sites", set())
    site = admin.AdminSite("of this test")

    class People(MessagesMixin, admin.ModelAdmin):
        chatitive_phone_number = "phnoe"

    class Rightly(MessagesMixin, admin.ModelAdmin):
        chatitive_phone_number = "customer.phone"

    site.register(Customer, People)
    site.register(Ticket, Rightly)
    [message] = check_admins(None)
    assert message.id == "chatitive_django.E020"
    assert message.msg == (
        "People.chatitive_phone_number: reads 'phnoe', and Customer has no 'phnoe'. "
        "Did you mean 'phone'?"
    )


def test_a_name_that_the_mixin_does_not_read_is_an_error(monkeypatch):
    monkeypatch.setattr(admin.sites, "all_sites", set())
    site = admin.AdminSite("of this test")

    class People(MessagesMixin, admin.ModelAdmin):
        chatitive_phone = "phone"
        list_display = ["chatitive_count"]

        def chatitive_count(self, person):
            return 0

    site.register(Customer, People)
    [message] = check_admins(None)
    assert message.id == "chatitive_django.E020"
    assert message.msg == (
        "People.chatitive_phone: nobody reads it. Did you mean 'chatitive_phone_number'?"
    )


def test_a_mixin_that_comes_after_djangos_class_is_an_error(monkeypatch):
    monkeypatch.setattr(admin.sites, "all_sites", set())
    site = admin.AdminSite("of this test")

    class Own(admin.ModelAdmin):
        pass

    class Late(Own, MessagesMixin):
        pass

    class Early(MessagesMixin, Own):
        pass

    site.register(Customer, Late)
    site.register(Ticket, Early)
    [message] = check_admins(None)
    assert message.id == "chatitive_django.E021"
    assert message.msg.startswith("Late: MessagesMixin comes after ModelAdmin")


# The ids


ID = re.compile(r"\b[EWI]\d{3}\b")


def documented():
    """The ids that the docstrings of the checks name, each with its function."""
    package = chatitive_django.checks
    modules = [module for _, module in inspect.getmembers(package, inspect.ismodule)]
    return [
        (number, f"{module.__name__}.{name}")
        for module in modules
        if module.__name__.startswith(package.__name__)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        for number in re.findall(r"\b([EWI]\d{3}):", function.__doc__ or "")
    ]


def used():
    """The ids that the code of the checks gives."""
    folder = File(chatitive_django.checks.__file__).parent
    source = "".join(file.read_text() for file in folder.glob("*.py"))
    return set(re.findall(r"\"(?:chatitive_django\.)?([EWI]\d{3})\"", source))


def test_each_id_is_told_of_in_one_docstring_and_given_by_the_code():
    numbers = [number for number, _ in documented()]
    assert len(numbers) == len(set(numbers)), documented()
    assert set(numbers) == used()


def test_each_id_is_tried_here():
    assert used() <= set(ID.findall(File(__file__).read_text()))


def test_the_page_of_the_docs_lists_each_id_with_its_level():
    page = File(__file__).parents[2] / "docs" / "checks.md"
    listed = re.findall(
        r"^\| `chatitive_django\.(\w+)` \| (\w+) \|", page.read_text(), re.MULTILINE
    )
    levels = {"E": "Error", "W": "Warning", "I": "Info"}
    assert listed == [(number, levels[number[0]]) for number in sorted(used())]


def test_every_message_names_its_place_and_its_model(declare):
    declare(Ticket, event(payload={"x": "titel"}))
    [message] = messages()
    assert str(message) == (
        "desk.Ticket: (chatitive_django.E008) Ticket.chatitive_events[0]: payload 'x' reads "
        "'titel', and Ticket has no 'titel'. Did you mean 'title'?"
    )
