"""No secret and no phone number where it isn't meant to be, whatever the other side does."""

from __future__ import annotations

import contextlib
import io
import ssl
import traceback
from urllib.parse import quote

import pytest
import trustme
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command

from chatitive_django import Changed, Event, channels
from chatitive_django.backends import Message, get_backend, make_backend
from chatitive_django.client import Client
from chatitive_django.models import Attempt, Notification
from chatitive_django.outcomes import Outcome
from tests.acceptance.canary import (
    BENEATH_TLS,
    CREDENTIALS,
    ECHOED,
    IN_CLEAR,
    LOGIN,
    NUMBER,
    NUMBERS,
    PROXIES,
    PROXY_PASSWORD,
    SID,
    TOKEN,
    canaries_in,
    secrets_in,
    through_proxy,
)
from tests.desk.models import Customer, Ticket
from tests.factories import CustomerFactory, NotificationFactory, StaffFactory, TicketFactory
from tests.fault_server import FaultServer, closed_port

pytestmark = pytest.mark.django_db(transaction=True)

MEANT_TO_HOLD_IT = {"phone_number", "payload", "subscriber_key", "order_key"}

TALKATIVE = f"""
import logging
from chatitive_django.backends.api import APIBackend

class Everything(logging.Formatter):
    def format(self, record):
        return super().format(record) + repr(vars(record))

handler = logging.StreamHandler()
handler.setFormatter(Everything())
logging.basicConfig(level=1, handlers=[handler], force=True)
for name in logging.root.manager.loggerDict:
    logging.getLogger(name).setLevel(1)
    logging.getLogger(name).disabled = False

post = APIBackend.post
def post_or_crash(backend, message, **options):
    if backend.alias == "crash":
        raise RuntimeError({TOKEN!r}, {NUMBER!r}, message)
    return post(backend, message, **options)
APIBackend.post = post_or_crash
"""
"""Everything is logged, with all that the records hold."""


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def indiscreet(authority, tmp_path, settings):
    """A channel for each way in which a call ends, to servers that echo what they are sent."""
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(bundle)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with contextlib.ExitStack() as stack:

        def port_of(behaviour, **options):
            return stack.enter_context(FaultServer(behaviour, **options)).port

        urls = {
            name: f"chatitive+http://{LOGIN}@localhost:{port_of(behaviour)}/C"
            for name, behaviour in IN_CLEAR.items()
        }
        for name, behaviour in BENEATH_TLS.items():
            trust = "" if name == "untrusted" else f"?ca_bundle={bundle}"
            port = port_of(behaviour, tls=context)
            urls[name] = f"chatitive://{LOGIN}@localhost:{port}/C{trust}"
        for name, behaviour in PROXIES.items():
            option = through_proxy(port_of(behaviour))
            urls[name] = f"chatitive://{LOGIN}@localhost/C?{option}"
        urls["no_tls"] = f"chatitive://{LOGIN}@localhost:{port_of(IN_CLEAR['http_202'])}/C"
        urls["refused"] = f"chatitive+http://{LOGIN}@localhost:{closed_port()}/C"
        urls["nowhere"] = f"chatitive://{LOGIN}@nowhere.invalid/C"
        urls["crash"] = urls["refused"]
        urls["unusable"] = f"chatitive+http://{LOGIN}@api.example/C"
        settings.CHATITIVE = {"API_URLS": urls, "DISPATCHER": "worker"}
        yield settings.CHATITIVE


def deliver(nursery, chatitive):
    """Record a message for each channel, run a worker and `status`; gives what they printed."""
    for alias in chatitive["API_URLS"]:
        NotificationFactory(channel=alias, phone_number=NUMBER, payload={"number": NUMBER})
    nursery.output.write_text("")
    quick = {"CONCURRENCY": 16, "CONNECT_TIMEOUT": 0.5, "CALL_TIMEOUT": 1}
    run = [["worker", "--once"], ["status"], ["status", "--format", "json"]]
    codes = [
        nursery.manage(
            "chatitive", "--skip-checks", *words, code=TALKATIVE, **chatitive, **quick
        ).exit_code()
        for words in run
    ]
    output = nursery.output.read_text()
    assert codes == [0, 1, 1], output
    return output


def stored():
    """All values of the app's tables, but for the columns that are meant to hold the number."""
    for model in [*apps.get_app_config("chatitive_django").get_models(), LogEntry, Session]:
        names = [
            field.attname
            for field in model._meta.concrete_fields
            if model is not Notification or field.name not in MEANT_TO_HOLD_IT
        ]
        for row in model._base_manager.values(*names):
            for name, value in row.items():
                yield f"{model._meta.label}.{name}", str(value)


def assert_clean(where, text, found=canaries_in):
    if canaries := found(text):
        at = min(text.index(canary) for canary in canaries if canary in text)
        raise AssertionError(f"{where} holds {canaries}: …{text[max(at - 200, 0) : at + 80]}…")


@pytest.mark.parametrize("canary", [CREDENTIALS, PROXY_PASSWORD, *ECHOED, *NUMBERS])
def test_the_search_finds_a_canary_in_each_spelling(canary):
    assert canaries_in(f"before {canary} after")


def test_no_fault_of_the_other_side_brings_a_secret_into_log_table_output_or_page(
    nursery, indiscreet, client
):
    output = deliver(nursery, indiscreet)
    assert_clean("The output", output)
    assert output.count("is unknown after try 1") > 10
    assert output.count("The breaker of channel") > 5
    for where, text in stored():
        assert_clean(where, text)
    ended = set(Attempt.objects.values_list("outcome", flat=True))
    assert ended == set(Outcome) - {Outcome.NOT_SENT}
    assert Attempt.objects.filter(response_excerpt__contains="…").count() > 10
    channels.pause("http_202", reason="wrong texts")
    pages = ["notification/", "channel/"]
    pages += [
        f"notification/{pk}/change/" for pk in Notification.objects.values_list("pk", flat=True)
    ]
    client.force_login(StaffFactory(may=["view_channel", "view_attempt"]))
    for page in pages:
        assert_clean(page, read(client, page))
    client.force_login(StaffFactory(may=["view_channel", "view_attempt", "view_payload"]))
    for page in pages:
        assert_clean(page, read(client, page), secrets_in)


def read(client, page):
    response = client.get(f"/admin/chatitive_django/{page}")
    assert response.status_code == 200
    return response.content.decode()


def test_what_a_projects_own_code_raises_is_not_repeated(declare, caplog, client):
    def raise_all(ticket):
        raise ValueError(TOKEN, NUMBER, ticket)

    done = Changed("status", to="Success")
    declare(
        Ticket,
        Event("Payload", when=done, phone_number="customer.phone", payload={"x": raise_all}),
        Event("Path", when=done, phone_number=raise_all),
        Event("Condition", when=done, phone_number="customer.phone", condition=raise_all),
        Event("Odd", when=done, phone_number="customer.phone", payload={"x": lambda ticket: {1}}),
        Event("Long", when=done, phone_number=lambda ticket: NUMBER * 9),
    )
    ticket = TicketFactory(customer=CustomerFactory(phone=NUMBER))
    with caplog.at_level(1):
        ticket.status = "Success"
        ticket.save()
    rows = Notification.objects.filter(status="invalid")
    assert rows.count() == 5
    assert_clean("The log", repr([vars(record) for record in caplog.records]) + caplog.text)
    for where, text in stored():
        assert_clean(where, text)
    client.force_login(StaffFactory())
    for row in rows:
        page = f"notification/{row.pk}/change/"
        assert_clean(page, read(client, page))


def test_a_change_of_the_number_itself_is_not_told_to_those_who_may_not_see_it(declare, client):
    declare(Customer, Event("Moved", when=Changed("phone"), phone_number="phone"))
    customer = CustomerFactory(phone="206-555-0199")
    customer.phone = NUMBER
    customer.save()
    row = Notification.objects.get()
    assert row.phone_number == NUMBER
    client.force_login(StaffFactory())
    for page in ["notification/", f"notification/{row.pk}/change/"]:
        assert_clean(page, read(client, page))


def refused_urls():
    """URLs that can't be used, in the ways in which people write them."""
    return [
        f"chatitve://{LOGIN}@api.essential.to/C",
        f"https://{LOGIN}@api.essential.to/C",
        f"{LOGIN}@api.essential.to/C",
        f"chatitive://{SID}:{TOKEN}@api.essential.to/C",
        f"chatitive://{LOGIN}@api.essential.to",
        f"chatitive://{LOGIN}@api.essential.to/v2/account/channels/C",
        f"chatitive://{LOGIN}@api.essential.to:port/C",
        f"chatitive://{LOGIN}@[api.essential.to/C",
        f"chatitive://{LOGIN}@{'x' * 70}.to/C",
        f"chatitive://{LOGIN}@api.essential.to/C\n",
        f"chatitive://{LOGIN}€@api.essential.to/C",
        f"chatitive://{quote(TOKEN, safe='')}@api.essential.to/C",
        f"chatitive://{LOGIN}@api.essential.to/C?tokn={quote(TOKEN, safe='')}",
        f"chatitive://{LOGIN}@api.essential.to/C?{quote(TOKEN, safe='')}",
        f"chatitive://{LOGIN}@api.essential.to/C?ca_bundle=/nowhere",
        f"chatitive://{LOGIN}@api.essential.to/C?proxy=https%3A%2F%2Fuser%3A{PROXY_PASSWORD}@x",
        f"chatitive+http://{LOGIN}@api.essential.to/C",
        f"locmem://{LOGIN}@[api",
    ]


@contextlib.contextmanager
def clean_refusal():
    """Whatever is raised within, and what led to it, holds no canary."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 -- the kind is tested elsewhere
        yield
    told = "".join(traceback.format_exception(caught.value))
    assert_clean("The refusal", f"{caught.value} {caught.value!r} {caught.value.args} {told}")


@pytest.mark.parametrize("url", refused_urls(), ids=range(len(refused_urls())))
def test_a_url_that_is_refused_is_not_quoted(url, settings, caplog):
    with clean_refusal():
        make_backend("default", url)
    if not url.startswith("locmem"):
        with clean_refusal():
            Client.from_url(url)
    settings.CHATITIVE = {"API_URLS": {"default": url}, "DISPATCHER": "worker"}
    with clean_refusal():
        get_backend("default")
    NotificationFactory()
    with caplog.at_level(1):
        for words in [
            ["deliver"],
            ["status"],
            ["status", "--format", "json"],
            ["doctor"],
            ["doctor", "--format", "json"],
            ["tail", "--no-follow"],
            ["send-test", "Ping", "--phone-number", NUMBER],
        ]:
            out = io.StringIO()
            try:
                call_command("chatitive", *words, stdout=out, stderr=out, skip_checks=True)
            except (CommandError, SystemExit) as error:
                assert_clean(words, "".join(traceback.format_exception(error)))
            assert_clean(words, out.getvalue())
    assert_clean("The log", repr([vars(record) for record in caplog.records]) + caplog.text)


@pytest.mark.parametrize(
    "chatitive",
    [
        "{url}",
        {"API_URL": "{url}"},
        {"API_URLS": "{url}"},
        {"API_URLS": ["{url}"]},
        {"API_URLS": {"default": ["{url}"]}},
    ],
    ids=str,
)
def test_settings_that_are_refused_are_not_quoted(chatitive, settings):
    url = f"chatitive://{LOGIN}@api.essential.to/C"
    settings.CHATITIVE = filled(chatitive, url)
    with clean_refusal():
        get_backend("default")
    with contextlib.redirect_stderr(io.StringIO()) as told, contextlib.suppress(Exception):
        call_command("check")
    assert_clean("check", told.getvalue())


def filled(value, url):
    if isinstance(value, dict):
        return {filled(key, url): filled(each, url) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, url) for each in value]
    return value.replace("{url}", url)


def test_an_argument_that_is_refused_is_not_quoted():
    with Client.from_url(f"chatitive://{LOGIN}@api.essential.to/C") as client:
        for arguments in [
            {"phone_number": NUMBER, "subscriber_sid": NUMBER},
            {"phone_number": NUMBER, "payload": NUMBER},
            {"phone_number": NUMBER, "payload": {"x": {NUMBER}}},
            {"phone_number": NUMBER, "payload": {NUMBER: float("nan")}},
            {"phone_number": NUMBER, "subscribe_new": True},
            {"phone_number": NUMBER, "idempotency_key": f"{TOKEN}€"},
            {"phone_number": [NUMBER]},
        ]:
            with clean_refusal():
                client.notify("Ping", **arguments)


def test_no_repr_holds_a_secret_or_a_number():
    url = f"chatitive://{LOGIN}@api.essential.to/C?{through_proxy(8080)}"
    row = NotificationFactory(phone_number=NUMBER, payload={"number": NUMBER})
    attempt = Attempt(notification=row, number=1, response_excerpt=NUMBER)
    message = Message(event_name="Ping", phone_number=NUMBER, payload={"number": NUMBER})
    with Client.from_url(url) as client:
        backend = make_backend("default", url)
        result = result_of_an_echo()
        for thing in [client, backend, message, row, attempt, result, client._transport]:
            assert_clean(type(thing).__name__, f"{thing!r} {thing}")
        assert_clean("The route", repr(client._transport._route))


def result_of_an_echo():
    """What a call gives that was answered with all that the server knows."""
    with FaultServer(IN_CLEAR["http_400"]) as server:
        with Client.from_url(f"chatitive+http://{LOGIN}@localhost:{server.port}/C") as client:
            return client.notify("Ping", phone_number=NUMBER)
