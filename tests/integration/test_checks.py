"""Django's system checks find what is declared or configured wrongly, each by its own id."""

from __future__ import annotations

import pytest
from django.core import checks
from django.db.models import Model

from chatitive_django import Changed, Created, Event, If
from tests.desk.models import Shape

URL = "chatitive://SID:s3cr3t@api.essential.to/p03Gjl8Uzn0RkZSpHXHnrw"


def found():
    return [
        (message.id.partition(".")[2], message.msg)
        for message in checks.run_checks(tags=["chatitive_django"])
    ]


@pytest.fixture
def configure(settings):
    def configure(**keys):
        settings.CHATITIVE = {"API_URLS": {"default": URL}, "DISPATCHER": "worker", **keys}

    configure()
    return configure


def test_a_sound_project_has_no_findings(configure):
    assert found() == []


@pytest.mark.parametrize(
    ("keys", "number", "told"),
    [
        ({"CONCURENCY": 1}, "E001", "Did you mean 'CONCURRENCY'?"),
        ({"DISPATCHER": "embeded"}, "E001", "Did you mean 'embedded'?"),
        ({"DISPATCHER": "chatitive_django.models.Notification"}, "E001", "is no Dispatcher"),
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


@pytest.mark.parametrize(
    ("options", "number", "told"),
    [
        ({"phone_number": None}, "E006", "names no subscriber"),
        ({"subscribe_new": True}, "E006", "subscribe_new needs allow_new"),
        ({"when": Changed("state", from_="a", to="a")}, "E006", "never fires"),
        ({"when": Changed("stat")}, "E007", "'stat' is no stored field of Shape. Did you mean 's"),
        ({"when": Changed("get_state")}, "E007", "'get_state' is no stored field of Shape"),
        ({"payload": {"x": "parent.stat"}}, "E008", "payload 'x' reads 'parent.stat', and Shape"),
        ({"payload": {"x": [{"y": "dta"}]}}, "E008", "Did you mean 'data'?"),
        ({"phone_number": "_state.db"}, "E008", "private"),
        ({"phone_number": "shape"}, "E008", "Did you mean 'shape_set'?"),
        ({"only_if": If("plan", "is_set")}, "E008", "only_if reads 'plan', and Shape has no"),
        ({"channel": "sales"}, "E009", "'sales' is no channel"),
    ],
)
def test_declarations(configure, declare, options, number, told):
    declare(Shape, Event("Bad", **{"when": Created(), "phone_number": "phone", **options}))
    [(id_, text)] = found()
    assert id_ == number
    assert text.startswith("Shape.chatitive_events[0]: ")
    assert told in text


def test_two_events_of_one_key_are_told_with_both_places(configure, declare):
    event = Event("Same", when=Created(), phone_number="phone", key="k")
    other = Event("Other", when=Created(), phone_number="phone", key="k")
    declare(Shape, event, other)
    [(number, text)] = found()
    assert number == "E010"
    assert "Shape.chatitive_events[1]" in text
    assert "Shape.chatitive_events[0]" in text


def test_a_django_whose_writes_have_another_shape_is_refused(configure, monkeypatch):
    monkeypatch.setattr(Model, "_save_table", lambda self, new_parameter: None)
    assert [number for number, _ in found()] == ["E005"]


def test_sqlite_is_asked_to_begin_transactions_as_the_writer(configure, settings):
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
