"""What the client sends, what it makes of an answer, and what it refuses."""

from __future__ import annotations

import base64
import contextlib
import gc
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from chatitive_django import transport
from chatitive_django.client import Client
from chatitive_django.exceptions import InvalidRequest, InvalidURL
from chatitive_django.excerpts import Excerpts
from chatitive_django.outcomes import Outcome
from tests.fault_server import FaultServer, Peer, answer, answer_in_turn, response, say

SID = "SidCanaryAcc0unt"
TOKEN = "TokenCanary/+~Xyz"
CHANNEL = "p03Gjl8Uzn0RkZSpHXHnrw"
CREDENTIALS = base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
ROOT = Path(__file__).resolve().parents[2]


def client_of(server: FaultServer, **options) -> Client:
    options.setdefault("connect_timeout", 2.0)
    options.setdefault("call_timeout", 5.0)
    return Client(account_sid=SID, token=TOKEN, channel_sid=CHANNEL, base_url=server.url, **options)


def notify_once(*script, **arguments):
    with FaultServer(*script) as server, client_of(server) as client:
        return client.notify("Ping", **{"phone_number": "555-555-5555", **arguments})


def echo_key(peer: Peer) -> None:
    """Answer each request with its own idempotency key."""
    while request := peer.read_request():
        peer.send(response(202, request.headers["idempotency-key"].encode()))


def wait_until(condition) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within five seconds"
        time.sleep(0.005)


# What is sent


def test_the_request_is_the_vendors_sample_key_for_key():
    with FaultServer() as server, client_of(server) as client:
        client.notify(
            "RequestSupportFeedback",
            phone_number="555-555-5555",
            payload={
                "ticket_url": "https://support.yourcompany.com/tickets/12345",
                "ticket_status": "Success",
                "cs_agent_name": "Pam",
            },
        )
    [request] = server.requests
    assert request.method == "POST"
    assert request.path == ("/v2/account/channels/p03Gjl8Uzn0RkZSpHXHnrw/subscribers/events/notify")
    sample = {
        "event_name": "RequestSupportFeedback",
        "phone_number": "555-555-5555",
        "allow_new": False,
        "subscribe_new": False,
        "payload": {
            "ticket_url": "https://support.yourcompany.com/tickets/12345",
            "ticket_status": "Success",
            "cs_agent_name": "Pam",
        },
    }
    assert json.dumps(request.json) == json.dumps(sample)


def test_the_headers_say_who_calls_and_ask_for_plain_json():
    with FaultServer() as server, client_of(server) as client:
        client.notify("Ping", phone_number="555-555-5555", idempotency_key="a-key")
    [request] = server.requests
    length = request.headers.pop("content-length")
    assert int(length) == len(request.body)
    assert re.fullmatch(r"chatitive-django/[\w.]+", request.headers.pop("user-agent"))
    assert request.headers == {
        "host": f"localhost:{server.port}",
        "accept": "application/json",
        "accept-encoding": "identity",
        "authorization": f"Basic {CREDENTIALS}",
        "content-type": "application/json",
        "idempotency-key": "a-key",
    }


def test_there_is_no_idempotency_key_unless_one_is_given():
    with FaultServer() as server, client_of(server) as client:
        client.notify("Ping", phone_number="555-555-5555")
    assert "idempotency-key" not in server.requests[0].headers


def test_a_subscriber_sid_and_the_flags_are_sent_as_given():
    with FaultServer() as server, client_of(server) as client:
        client.notify("Ping", subscriber_sid="sub_1", allow_new=True, subscribe_new=True)
    assert json.dumps(server.requests[0].json) == json.dumps(
        {
            "event_name": "Ping",
            "subscriber_sid": "sub_1",
            "allow_new": True,
            "subscribe_new": True,
            "payload": {},
        }
    )


@pytest.mark.parametrize("text", ["Zoë ☎ 電話", "\ud800", 'quote " and \\', "line\nline"])
def test_any_text_arrives_as_it_was(text):
    with FaultServer() as server, client_of(server) as client:
        client.notify(text, phone_number=text, payload={text: [text, {"nested": None}]})
    sent = server.requests[0].json
    assert (sent["event_name"], sent["phone_number"]) == (text, text)
    assert sent["payload"] == {text: [text, {"nested": None}]}


def test_each_path_segment_is_quoted():
    with FaultServer() as server:
        client = Client(
            account_sid=SID, token=TOKEN, channel_sid="a/b?c#d%20e", base_url=f"{server.url}/box/"
        )
        with client:
            client.notify("Ping", phone_number="1")
    assert server.requests[0].path == (
        "/box/v2/account/channels/a%2Fb%3Fc%23d%2520e/subscribers/events/notify"
    )


# What is refused before anything is sent


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "exactly one"),
        ({"phone_number": "1", "subscriber_sid": "s"}, "exactly one"),
        ({"phone_number": ""}, "phone_number is empty"),
        ({"phone_number": "  "}, "phone_number is empty"),
        ({"phone_number": 5}, "phone_number is empty or not a string"),
        ({"subscriber_sid": ""}, "subscriber_sid is empty"),
        ({"event_name": "", "phone_number": "1"}, "event_name"),
        ({"event_name": " ", "phone_number": "1"}, "event_name"),
        ({"event_name": None, "phone_number": "1"}, "event_name"),
        ({"phone_number": "1", "subscribe_new": True}, "allow_new"),
        ({"phone_number": "1", "payload": []}, "payload is a list"),
        ({"phone_number": "1", "payload": "x"}, "payload is a str"),
        ({"phone_number": "1", "payload": {"a": float("nan")}}, "payload is not JSON"),
        ({"phone_number": "1", "payload": {"a": float("inf")}}, "payload is not JSON"),
        ({"phone_number": "1", "payload": {"a": datetime(2026, 1, 1)}}, "datetime"),
        ({"phone_number": "1", "payload": {"a": b""}}, "bytes"),
        ({"phone_number": "1", "payload": {(1, 2): 3}}, "payload is not JSON"),
        ({"phone_number": "1", "idempotency_key": "a\r\nX-Evil: 1"}, "idempotency_key"),
        ({"phone_number": "1", "idempotency_key": "é"}, "idempotency_key"),
        ({"phone_number": "1", "idempotency_key": ""}, "idempotency_key"),
    ],
)
def test_a_call_that_cannot_be_made_is_refused_and_sends_nothing(arguments, told):
    with (
        FaultServer() as server,
        client_of(server) as client,
        pytest.raises(InvalidRequest, match=told),
    ):
        client.notify(**{"event_name": "Ping", **arguments})
    assert server.connections == 0


def test_payloads_without_end_are_refused():
    loop: dict[str, object] = {}
    loop["again"] = loop
    deep: dict[str, object] = {}
    for _ in range(200_000):
        deep = {"deeper": deep}
    with Client(account_sid=SID, token=TOKEN, channel_sid=CHANNEL) as client:
        for payload in (loop, deep):
            with pytest.raises(InvalidRequest, match="payload is not JSON"):
                client.notify("Ping", phone_number="1", payload=payload)
    while deep:  # taken apart by hand: its destructor would recurse
        deep = deep["deeper"]


# What an answer means


@pytest.mark.parametrize(
    ("outcome", "statuses"),
    [
        (Outcome.ACCEPTED, [200, 201, 202, 204, 299]),
        (Outcome.TURNED_AWAY, [408, 425, 429, 500, 503]),
        (Outcome.CONFIGURATION, [300, 301, 302, 303, 304, 307, 308, 401, 403]),
        (Outcome.REJECTED, [400, 402, 404, 405, 409, 410, 412, 413, 415, 418, 422, 451, 499]),
        (Outcome.NOT_ARRIVED, [407]),
        (Outcome.MAY_HAVE_ARRIVED, [501, 502, 504, 505, 520, 521, 522, 524, 530, 599, 600, 999]),
    ],
)
def test_each_status_has_one_meaning(outcome, statuses):
    with FaultServer(answer_in_turn(*statuses)) as server, client_of(server) as client:
        for status in statuses:
            result = client.notify("Ping", phone_number="555-555-5555")
            assert (result.http_status, result.outcome) == (status, outcome)
            assert result.reason == ("" if outcome == "accepted" else f"http_{status}")
            assert 0 < result.duration < 5
    assert server.connections == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(status):
    with FaultServer() as elsewhere:
        location = {"Location": f"{elsewhere.url}/other"}
        result = notify_once(answer(status, b"", location))
        assert result.outcome is Outcome.CONFIGURATION
    assert elsewhere.connections == 0


def test_cookies_are_not_kept():
    cookie = answer(202, b"{}", {"Set-Cookie": "session=abc; Path=/"})
    with FaultServer(cookie) as server, client_of(server) as client:
        for _ in range(2):
            client.notify("Ping", phone_number="555-555-5555")
    assert all("cookie" not in request.headers for request in server.requests)


DAY = 24 * 60 * 60


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("99999999", DAY),
        ("9" * 4000, DAY),
        ("{in ten minutes}", 600.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0.0),
        ("Wed, 21 Oct 2215 07:28:00 GMT", DAY),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("nan", None),
        ("inf", None),
        ("²", None),
        ("soon", None),
        ("Wed, 99 Zzz 2015 07:28:00 GMT", None),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds(header, seconds):
    moment = datetime.now(UTC) + timedelta(minutes=10)
    header = header.replace("{in ten minutes}", format_datetime(moment, usegmt=True))
    raw = f"HTTP/1.1 503 X\r\nRetry-After: {header}\r\nContent-Length: 0\r\n\r\n"
    result = notify_once(say(raw.encode("latin-1")))
    assert result.outcome is Outcome.TURNED_AWAY
    assert result.retry_after == (seconds if seconds is None else pytest.approx(seconds, abs=60))


def test_without_a_retry_after_there_is_none():
    assert notify_once(answer(503)).retry_after is None


# The excerpt


@pytest.mark.parametrize(
    ("body", "excerpt"),
    [
        (b"", ""),
        (b'{"error": "No such channel"}', '{"error": "No such channel"}'),
        (b"a\x00\x1b[31mb\x7f\r\n\tc", "a[31mb c"),
        ("a\u202eb\u2028c\ufeffd\u00a0e".encode(), "ab cd e"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"z" * 4000, "z" * 500),
        (b"z" * 16_000, "z" * 500),
        (f"Bad token {TOKEN} of {SID}".encode(), "Bad token … of …"),
        (f"Tok\x00{TOKEN[:4]}\x00{TOKEN[4:]}".encode(), "Tok…"),
        (f"Authorization: Basic {CREDENTIALS}".encode(), "Authorization: Basic …"),
        (TOKEN.replace("/", "\\/").encode(), "…"),
        (TOKEN.replace("/", "%2F").replace("+", "%2B").encode(), "…"),
        (b"number 206-555-0123 bad", "number … bad"),
        (b"number +1 (206) 555-0123 bad", "number … bad"),
        (b"number 12065550123 bad", "number … bad"),
        ("number 206\u2011555\u20110123 bad".encode(), "number … bad"),
        ("number 206 \u2013 555 \u2013 0123 bad".encode(), "number … bad"),
        (b"other +44 20 7946 0958", "other …"),
        (b"other 5009998080.", "other …."),
        (b"code 412 of 2026", "code 412 of 2026"),
    ],
)
def test_the_excerpt_is_short_and_clean(body, excerpt):
    result = notify_once(answer(400, body), phone_number="+1 206 555 0123")
    assert result.excerpt == excerpt


def test_a_short_number_is_masked_in_other_formats_too():
    body = b"short code 12345, 123-45, 1 2 3 4 5 but not 54321"
    result = notify_once(answer(400, body), phone_number="12345")
    assert not re.search(r"1\D*2\D*3\D*4\D*5", result.excerpt)
    assert result.excerpt.startswith("short code …")


def test_a_subscriber_sid_is_masked():
    result = notify_once(
        answer(400, b"no subscriber sub_Abc here"), phone_number=None, subscriber_sid="sub_Abc"
    )
    assert result.excerpt == "no subscriber … here"


def test_half_a_secret_at_the_end_of_a_broken_body_is_masked():
    half = f"You sent {TOKEN[:9]}".encode()
    broken = b"HTTP/1.1 400 X\r\nContent-Length: 999\r\n\r\n" + half
    assert notify_once(say(broken)).excerpt == "You sent …"
    assert notify_once(answer(400, half)).excerpt == f"You sent {TOKEN[:9]}"


@pytest.mark.parametrize("length", range(4, len(CREDENTIALS)))
def test_no_end_of_a_broken_body_shows_more_of_a_secret_than_its_first_letters(length):
    for secret in (TOKEN, SID, CREDENTIALS):
        broken = b"HTTP/1.1 400 X\r\nContent-Length: 999\r\n\r\nsent " + secret[:length].encode()
        assert notify_once(say(broken)).excerpt == "sent …"


def test_half_a_secret_where_a_long_body_is_cut_is_masked():
    body = b" " * 4090 + TOKEN.encode() + b" " * 20_000
    assert notify_once(answer(400, body)).excerpt == "…"


def test_a_coded_body_is_neither_decoded_nor_shown():
    result = notify_once(answer(400, b"\x1f\x8bwhatever", {"Content-Encoding": "gzip"}))
    assert (result.outcome, result.excerpt) == (Outcome.REJECTED, "")
    result = notify_once(answer(400, b"plain", {"Content-Encoding": "identity"}))
    assert result.excerpt == "plain"


# Secrets


def test_no_secret_is_in_a_repr_a_result_or_a_log(caplog):
    def echo(peer: Peer) -> None:
        while request := peer.read_request():
            everything = json.dumps(request.headers) + request.body.decode()
            peer.send(response(400, everything.encode(), {"Odd Header ": TOKEN}))

    caplog.set_level(logging.DEBUG)
    canaries = [SID, TOKEN, CREDENTIALS, "206-555-0123", "2065550123"]
    with FaultServer(echo) as server, client_of(server) as client:
        result = client.notify("Ping", phone_number="206-555-0123", payload={"t": TOKEN})
        told = f"{client} {client!r} {result} {caplog.text}"
    assert repr(client) == f"<Client host='localhost' channel_sid='{CHANNEL}'>"
    assert "Ping" in result.excerpt
    assert [canary for canary in canaries if canary in told] == []


GOOD_URL = f"chatitive://{SID}:TokenCanary%2F%2B~Xyz@api.essential.to/{CHANNEL}"

BAD_URLS = {
    "no scheme": f"{SID}:TokenCanary@api.essential.to/{CHANNEL}",
    "another scheme": f"https://{SID}:TokenCanary@api.essential.to/{CHANNEL}",
    "clear text to another machine": f"chatitive+http://{SID}:TokenCanary@192.0.2.1/{CHANNEL}",
    "clear text to a name": f"chatitive+http://{SID}:TokenCanary@api.essential.to/{CHANNEL}",
    "no credentials": f"chatitive://api.essential.to/{CHANNEL}",
    "no token": f"chatitive://{SID}@api.essential.to/{CHANNEL}",
    "empty token": f"chatitive://{SID}:@api.essential.to/{CHANNEL}",
    "no sid": f"chatitive://:TokenCanary@api.essential.to/{CHANNEL}",
    "no host": f"chatitive://{SID}:TokenCanary@/{CHANNEL}",
    "no channel": f"chatitive://{SID}:TokenCanary@api.essential.to",
    "empty channel": f"chatitive://{SID}:TokenCanary@api.essential.to/",
    "dots for a channel": f"chatitive://{SID}:TokenCanary@api.essential.to/..",
    "the whole path": f"chatitive://{SID}:TokenCanary@api.essential.to"
    f"/v2/account/channels/{CHANNEL}/subscribers/events/notify",
    "port in words": f"chatitive://{SID}:TokenCanary@api.essential.to:https/{CHANNEL}",
    "port 0": f"chatitive://{SID}:TokenCanary@api.essential.to:0/{CHANNEL}",
    "port too high": f"chatitive://{SID}:TokenCanary@api.essential.to:99999/{CHANNEL}",
    "slash in the token": f"chatitive://{SID}:Token/Canary@api.essential.to/{CHANNEL}",
    "question mark in the token": f"chatitive://{SID}:Token?Canary@api.essential.to/{CHANNEL}",
    "hash in the token": f"chatitive://{SID}:Token#Canary@api.essential.to/{CHANNEL}",
    "at and question mark in the token": f"chatitive://{SID}:T@ok/en?Canary@host/{CHANNEL}",
    "space in the token": f"chatitive://{SID}:Token Canary@api.essential.to/{CHANNEL}",
    "newline at the end": f"chatitive://{SID}:TokenCanary@api.essential.to/{CHANNEL}\n",
    "euro in the token": f"chatitive://{SID}:TokenCanary€@api.essential.to/{CHANNEL}",
    "coded euro in the token": f"chatitive://{SID}:TokenCanary%E2%82%AC@api.essential.to/{CHANNEL}",
    "coded newline in the token": f"chatitive://{SID}:TokenCanary%0A@api.essential.to/{CHANNEL}",
    "coded NUL in the sid": f"chatitive://{SID}%00:TokenCanary@api.essential.to/{CHANNEL}",
    "coded colon in the sid": f"chatitive://{SID}%3Ax:TokenCanary@api.essential.to/{CHANNEL}",
    "bracket in the host": f"chatitive://{SID}:TokenCanary@[::1/{CHANNEL}",
    "no address in brackets": f"chatitive://{SID}:TokenCanary@[zz]/{CHANNEL}",
    "label over 63": f"chatitive://{SID}:TokenCanary@{'a' * 64}.to/{CHANNEL}",
    "empty label": f"chatitive://{SID}:TokenCanary@api..to/{CHANNEL}",
    "odd character in the host": f"chatitive://{SID}:TokenCanary@api%2eessential.to/{CHANNEL}",
    "a letter that normalises": f"chatitive://{SID}:TokenCanary@ap℀i.to/{CHANNEL}",
    "fragment": f"{GOOD_URL}#part",
    "unknown option": f"{GOOD_URL}?TokenCanary=1",
    "option without a value": f"{GOOD_URL}?proxy",
    "option twice": f"{GOOD_URL}?proxy=http://a:1&proxy=http://b:1",
    "proxy with TLS": f"{GOOD_URL}?proxy=https://{SID}:TokenCanary@proxy:1",
    "proxy without a host": f"{GOOD_URL}?proxy=http://",
    "proxy with a path": f"{GOOD_URL}?proxy=http://proxy:1/TokenCanary",
    "proxy with an odd password": f"{GOOD_URL}?proxy=http://{SID}:TokenCanary%250A@proxy:1",
    "proxy with a colon in its user": f"{GOOD_URL}?proxy=http://{SID}%253A:TokenCanary@proxy:1",
    "missing CA bundle": f"{GOOD_URL}?ca_bundle=/nowhere/ca.pem",
    "CA bundle without certificates": f"{GOOD_URL}?ca_bundle=/dev/null",
    "empty": "",
}


@pytest.mark.parametrize("url", BAD_URLS.values(), ids=BAD_URLS.keys())
def test_a_url_that_cannot_be_read_is_refused_without_quoting_it(url):
    with pytest.raises(InvalidURL) as caught:
        Client.from_url(url)
    told = "".join(traceback.format_exception_only(caught.value)) + repr(caught.value)
    context = caught.value.__context__
    told += repr(context) + str(context)
    assert not re.search(f"{SID}|Canary|{CHANNEL}|Token", told)
    assert len(str(caught.value)) > 40


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("prox=http://a:1", 'Did you mean "proxy"?'),
        ("ca_bundel=/x", 'Did you mean "ca_bundle"?'),
        ("verify=0", "none of proxy, ca_bundle"),
    ],
)
def test_an_unknown_option_is_refused_with_the_likely_one(query, hint):
    with pytest.raises(InvalidURL, match=re.escape(hint)):
        Client.from_url(f"{GOOD_URL}?{query}")


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"account_sid": ""}, InvalidURL),
        ({"token": ""}, InvalidURL),
        ({"token": "café"}, InvalidURL),
        ({"token": "a\nb"}, InvalidURL),
        ({"account_sid": "a:b"}, InvalidURL),
        ({"channel_sid": ""}, InvalidURL),
        ({"base_url": "http://api.essential.to"}, InvalidURL),
        ({"base_url": "ftp://localhost"}, InvalidURL),
        ({"base_url": "https://user:pw@api.essential.to"}, InvalidURL),
        ({"base_url": "https://api.essential.to?x=1"}, InvalidURL),
        ({"base_url": "api.essential.to"}, InvalidURL),
        ({"proxy": ""}, InvalidURL),
        ({"ca_bundle": "/nowhere/ca.pem"}, InvalidURL),
        ({"connect_timeout": 0}, ValueError),
        ({"call_timeout": -1}, ValueError),
        ({"call_timeout": float("nan")}, ValueError),
    ],
)
def test_settings_with_which_no_call_could_be_made_are_refused_at_once(settings, error):
    with pytest.raises(error):
        Client(**{"account_sid": SID, "token": TOKEN, "channel_sid": CHANNEL, **settings})


def test_a_url_carries_everything_that_a_call_needs():
    with FaultServer() as server:
        url = f"chatitive+http://{SID}:TokenCanary%2F%2B~Xyz@localhost:{server.port}/ch%20x"
        with Client.from_url(url, connect_timeout=1, call_timeout=2) as client:
            assert client.notify("Ping", phone_number="1").outcome is Outcome.ACCEPTED
    [request] = server.requests
    assert request.headers["authorization"] == f"Basic {CREDENTIALS}"
    assert request.path == "/v2/account/channels/ch%20x/subscribers/events/notify"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "LOCALHOST", "[::1]"])
def test_loopback_may_go_without_tls(host):
    Client.from_url(f"chatitive+http://{SID}:tok:en@{host}:1/box/{CHANNEL}").close()


def test_a_stand_in_may_be_mounted_below_the_root():
    with FaultServer() as server:
        url = f"chatitive+http://{SID}:secret@127.0.0.1:{server.port}/stand/in/{CHANNEL}"
        with Client.from_url(url) as client:
            client.notify("Ping", phone_number="1")
    assert server.requests[0].path.startswith(f"/stand/in/v2/account/channels/{CHANNEL}/")


# Connections


def test_calls_in_a_row_share_a_connection():
    with FaultServer() as server, client_of(server) as client:
        for _ in range(3):
            client.notify("Ping", phone_number="1")
    assert (server.connections, len(server.requests)) == (1, 3)


def test_a_connection_that_the_server_closed_while_idle_is_reopened():
    with FaultServer(answer(times=1)) as server, client_of(server) as client:
        for number in range(1, 4):
            assert client.notify("Ping", phone_number="1").outcome is Outcome.ACCEPTED
            wait_until(lambda: server.open_connections == 0)
            assert server.connections == number
    assert [request.whole for request in server.requests] == [True] * 3


def test_a_connection_that_the_server_reset_while_idle_is_reopened():
    def answer_and_reset(peer: Peer) -> None:
        answer(times=1)(peer)
        time.sleep(0.05)
        peer.reset()

    with FaultServer(answer_and_reset, answer()) as server, client_of(server) as client:
        assert client.notify("Ping", phone_number="1").outcome is Outcome.ACCEPTED
        wait_until(lambda: server.open_connections == 0)
        assert client.notify("Ping", phone_number="1").outcome is Outcome.ACCEPTED
    assert server.connections == 2


def test_a_connection_idle_for_long_is_not_used_again(monkeypatch):
    monkeypatch.setattr(transport, "IDLE_SECONDS", 0.05)
    with FaultServer() as server, client_of(server) as client:
        client.notify("Ping", phone_number="1")
        time.sleep(0.1)
        client.notify("Ping", phone_number="1")
    assert server.connections == 2


def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next():
    def answer_again(peer: Peer) -> None:
        peer.read_request()
        peer.send(response(202))
        time.sleep(0.05)
        peer.send(response(400))
        peer.stall()

    with FaultServer(answer_again, answer()) as server, client_of(server) as client:
        client.notify("Ping", phone_number="1")
        time.sleep(0.1)
        assert client.notify("Ping", phone_number="1").outcome is Outcome.ACCEPTED
    assert server.connections == 2


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 202 X\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 202 X\r\nCONNECTION:Close\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.0 202 X\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 202 X\r\nContent-Length: -2\r\n\r\n{}",
        b"HTTP/1.1 202 X\r\nContent-Length: 20000\r\n\r\n" + b"x" * 20_000,
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
    ids=[
        "close",
        "close, in other letters",
        "HTTP/1.0",
        "a negative length",
        "more than is read",
        "another protocol",
    ],
)
def test_a_connection_that_cannot_serve_another_call_is_not_kept(raw):
    script = [say(raw, then=answer(400)), answer()]
    with FaultServer(*script) as server, client_of(server) as client:
        client.notify("Ping", phone_number="1")
        assert client.notify("Ping", phone_number="1").http_status == 202
    assert server.connections == 2


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 202 X\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 202 X\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 X\r\n\r\n",
        b"HTTP/1.1 202 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 202 X\r\nContent-Length: 16384\r\n\r\n" + b"x" * 16_384,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 X\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 103 X\r\nLink: x\r\n\r\nHTTP/1.1 202 X\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 202\nX: 1\n connection: close\nlength\ncontent-length:2\n\n{}",
        b"HTTP/1.1 202 X\r\nTransfer-Encoding: Chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nX: 1\r\n\r\n",
    ],
    ids=[
        "length",
        "empty",
        "no content",
        "chunked",
        "just as much as is read",
        "after 100",
        "after 103",
        "odd lines",
        "a chunk's extension and a trailer",
    ],
)
def test_a_connection_whose_answer_was_read_whole_is_kept(raw):
    with FaultServer(say(raw, then=answer())) as server, client_of(server) as client:
        for _ in range(2):
            assert client.notify("Ping", phone_number="1").outcome is Outcome.ACCEPTED
    assert server.connections == 1


def test_threads_share_a_client_and_each_gets_its_own_answers():
    wrong = []

    def call_often(name: str) -> None:
        for number in range(25):
            key = f"{name}-{chr(97 + number)}"
            result = client.notify("Ping", phone_number="1", idempotency_key=key)
            if result.excerpt != key:
                wrong.append((key, result))

    with FaultServer(echo_key) as server, client_of(server) as client:
        threads = [threading.Thread(target=call_often, args=(f"t{c}",)) for c in "abcdefgh"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert server.connections == 8


def test_a_thread_that_ends_closes_its_connection():
    with FaultServer() as server, client_of(server) as client:
        thread = threading.Thread(
            target=client.notify, args=("Ping",), kwargs={"phone_number": "1"}
        )
        thread.start()
        thread.join()
        gc.collect()
        wait_until(lambda: server.open_connections == 0)


def test_closing_a_client_closes_the_connections_of_all_threads_and_it_can_still_call():
    called, finish = threading.Event(), threading.Event()

    def call_and_wait() -> None:
        client.notify("Ping", phone_number="1")
        called.set()
        finish.wait()

    with FaultServer() as server, client_of(server) as client:
        thread = threading.Thread(target=call_and_wait, daemon=True)
        thread.start()
        called.wait()
        client.notify("Ping", phone_number="1")
        assert server.open_connections == 2
        client.close()
        wait_until(lambda: server.open_connections == 0)
        assert client.notify("Ping", phone_number="1").outcome is Outcome.ACCEPTED
        finish.set()
        thread.join()


def test_closing_a_client_leaves_a_call_under_way_alone():
    results = []

    def call() -> None:
        results.append(client.notify("Ping", phone_number="1"))

    with FaultServer(answer(delay=0.2)) as server, client_of(server) as client:
        thread = threading.Thread(target=call)
        thread.start()
        wait_until(lambda: server.requests)
        client.close()
        thread.join()
        wait_until(lambda: server.open_connections == 0)
    assert results[0].outcome is Outcome.ACCEPTED


def test_after_a_call_that_was_broken_off_the_next_gets_its_own_answer():
    class BrokenOff(BaseException):
        pass

    def break_off(*_):
        raise BrokenOff

    def slow_then_echo(peer: Peer) -> None:
        first = peer.read_request()
        time.sleep(0.2)
        peer.send(response(202, first.headers["idempotency-key"].encode()))
        echo_key(peer)

    before = signal.signal(signal.SIGALRM, break_off)
    try:
        with FaultServer(slow_then_echo, echo_key) as server, client_of(server) as client:
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(BrokenOff):
                client.notify("Ping", phone_number="1", idempotency_key="first")
            time.sleep(0.2)
            result = client.notify("Ping", phone_number="1", idempotency_key="second")
        assert result.excerpt == "second"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


FORKING = """
import os, sys
from chatitive_django.client import Client

client = Client.from_url(sys.argv[1])

def call_often(name):
    for number in range(30):
        key = f"{name}-{chr(97 + number % 26)}"
        result = client.notify("Ping", phone_number="1", idempotency_key=key)
        if result.excerpt != key:
            print(key, "got", result)

call_often("before")
children = []
for name in ("one", "two", "three", "four"):
    pid = os.fork()
    if pid == 0:
        call_often(name)
        client.close()
        sys.stdout.flush()
        os._exit(0)
    children.append(pid)
call_often("parent")
for pid in children:
    os.waitpid(pid, 0)
client.close()
"""


def test_a_client_survives_a_fork_and_each_process_gets_its_own_answers():
    with FaultServer(echo_key) as server:
        done = run(FORKING, f"chatitive+http://{SID}:secret@127.0.0.1:{server.port}/ch")
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    assert server.connections == 5
    assert len(server.requests) == 30 * 6


WITHOUT_DJANGO = """
import sys

class NoDjango:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "django":
            raise ImportError("no Django here")

sys.meta_path.insert(0, NoDjango())
from chatitive_django.client import Client

with Client.from_url(sys.argv[1]) as client:
    print(client.notify("Ping", phone_number="1").outcome)
"""


def test_the_client_works_without_django():
    with FaultServer() as server:
        done = run(WITHOUT_DJANGO, f"chatitive+http://{SID}:secret@127.0.0.1:{server.port}/ch")
    assert (done.stdout, done.stderr) == ("accepted\n", "")


def test_the_environment_plays_no_part(monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login eve password evil\ndefault login eve password evil\n")
    netrc.chmod(0o600)
    with FaultServer() as proxy, FaultServer() as server, contextlib.ExitStack() as stack:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            monkeypatch.setenv(name, os.fspath(tmp_path / "nothing.pem"))
        monkeypatch.setenv("NETRC", os.fspath(netrc))
        monkeypatch.delenv("no_proxy", raising=False)
        client = stack.enter_context(client_of(server))
        assert client.notify("Ping", phone_number="1").outcome is Outcome.ACCEPTED
    assert proxy.connections == 0
    assert server.requests[0].headers["authorization"] == f"Basic {CREDENTIALS}"


@pytest.mark.parametrize(
    "echo",
    [
        'to+k/e"n&',
        r"to+k/e\"n&",
        r"to+k\/e\"n&",
        "to%2Bk%2Fe%22n%26",
        "to%2bk%2fe%22n%26",
        "to+k/e&quot;n&amp;",
        r"to\u002bk\u002fe\u0022n\u0026",
        r"to\u002Bk\u002Fe\u0022n\u0026",
    ],
)
def test_a_secret_is_masked_however_a_server_spells_it(echo):
    excerpts = Excerpts(['to+k/e"n&'])
    told = excerpts.of(
        f"before {echo} after".encode(), whole=True, phone_number=None, subscriber_sid="S"
    )
    assert told == "before … after"
