"""The JSON health view: for monitors with a token, and for people who may see channels."""

from __future__ import annotations

import json

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.urls import reverse

from chatitive_django.models import Notification
from tests.factories import NotificationFactory, StaffFactory
from tests.shell import run

pytestmark = pytest.mark.django_db

TOKEN = "0123456789abcdef"


@pytest.fixture(autouse=True)
def token(settings):
    settings.CHATITIVE = {
        "API_URLS": {"default": "locmem://"},
        "DISPATCHER": "immediate",
        "MONITOR_TOKEN": TOKEN,
    }


@pytest.fixture
def ask(client):
    def ask(token=TOKEN, scheme="Bearer", method="get"):
        headers = {"Authorization": f"{scheme} {token}"} if token else {}
        return getattr(client, method)(reverse("admin:chatitive_django_health"), headers=headers)

    return ask


def test_the_token_shows_what_status_tells(ask):
    response = ask()
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert response["Cache-Control"] == "no-store"
    assert response.json() == json.loads(run("status", "--format", "json")[1])
    assert response.json()["ok"] is True
    assert ask(method="head").status_code == 200


def test_a_finding_is_a_503(ask):
    NotificationFactory(status=Notification.Status.UNKNOWN)
    response = ask()
    assert response.status_code == 503
    assert [finding["code"] for finding in response.json()["findings"]] == ["unknown"]


@pytest.mark.parametrize(
    ("token", "scheme"),
    [(None, ""), ("wrong", "Bearer"), (TOKEN, "Basic"), (TOKEN[:-1], "Bearer"), ("", "Bearer")],
)
def test_without_the_token_nothing_is_told(ask, token, scheme):
    response = ask(token, scheme)
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert set(response.json()) == {"error"}


@pytest.mark.parametrize("token", ["", None])
def test_without_a_configured_token_no_token_opens_it(ask, settings, token):
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://"}, "DISPATCHER": "immediate"}
    assert ask(token).status_code == 401


def test_people_who_may_see_channels_see_it(ask, client):
    client.force_login(StaffFactory())
    assert ask(None).status_code == 401
    client.force_login(StaffFactory(may=["view_channel"]))
    assert ask(None).status_code == 200
    client.force_login(StaffFactory(may=["view_channel"], is_staff=False))
    assert ask(None).status_code == 401


def test_it_can_only_be_read(ask):
    for method in ("post", "put", "delete"):
        assert ask(method=method).status_code in {403, 405}


@pytest.mark.parametrize("failure", [OperationalError, InterfaceError])
def test_a_database_that_fails_is_a_503_without_a_detail(ask, failure):
    def refuse(*args):
        raise failure("FATAL: s3cr3t")

    with connection.execute_wrapper(refuse):
        response = ask()
    assert response.status_code == 503
    assert response.json() == {"ok": False, "error": failure.__name__}


def test_a_project_where_every_view_asks_for_a_login_is_monitored_too(ask, settings):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
    assert ask().status_code == 200
