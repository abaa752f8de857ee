"""Every way in which a call was seen to end, and what the client makes of it."""

from __future__ import annotations

import contextlib
import gzip
import math
import ssl
import threading
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from chatitive_django import transport
from chatitive_django.answers import Incoming
from chatitive_django.client import Client
from chatitive_django.outcomes import Outcome
from tests.fault_server import (
    FaultServer,
    Peer,
    answer,
    close_after,
    close_at_once,
    closed_port,
    corrupt_tls,
    deaf_port,
    drip,
    flood,
    reset_after,
    reset_at_once,
    response,
    say,
    stall_at_once,
    tunnel,
)

SETTINGS = {"account_sid": "SidCanary", "token": "TokenCanary", "channel_sid": "channel"}
CONNECT, CALL = 0.3, 0.5
"""Seconds; the waits of this module are all of this size."""
SLACK = 0.3


def notify(base_url: str, *, payload=None, connect_timeout=CONNECT, call_timeout=CALL, **options):
    """One call, which must end in time."""
    client = Client(
        **SETTINGS,
        base_url=base_url,
        connect_timeout=connect_timeout,
        call_timeout=call_timeout,
        **options,
    )
    with client:
        result = client.notify("Ping", phone_number="206-555-0123", payload=payload)
    assert result.duration < call_timeout + SLACK
    assert "Canary" not in repr(result)
    return result


def ended(result) -> tuple[Outcome, str, int | None]:
    return result.outcome, result.reason, result.http_status


def head(status: int, *lines: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} Status", *lines, "", ""]).encode()


# No byte of the request was written


def test_a_refused_connection_has_not_arrived():
    result = notify(f"http://127.0.0.1:{closed_port()}")
    assert ended(result) == (Outcome.NOT_ARRIVED, "connection_refused", None)
    assert result.error_class == "ConnectionRefusedError"


def test_a_name_that_is_not_found_has_not_arrived():
    result = notify("https://nowhere.invalid", call_timeout=20.0)
    assert ended(result) == (Outcome.NOT_ARRIVED, "name_not_found", None)


def test_a_connect_that_is_never_answered_has_not_arrived():
    with deaf_port() as port:
        result = notify(f"http://127.0.0.1:{port}")
    assert ended(result) == (Outcome.NOT_ARRIVED, "connect_timeout", None)
    assert CONNECT <= result.duration < CONNECT + SLACK


def test_an_address_that_cannot_be_connected_to_has_not_been_reached():
    result = notify("https://255.255.255.255")
    assert ended(result) == (Outcome.NOT_ARRIVED, "connection_failed", None)


def test_connecting_takes_no_longer_than_the_whole_call_may():
    with deaf_port() as port:
        result = notify(f"http://127.0.0.1:{port}", connect_timeout=9.0, call_timeout=0.3)
    assert ended(result) == (Outcome.NOT_ARRIVED, "connect_timeout", None)


def test_a_reset_before_the_request_is_judged_by_whether_a_byte_was_written():
    with FaultServer(reset_at_once) as server:
        result = notify(server.url)
    assert server.requests == []
    assert ended(result) in {
        (Outcome.NOT_ARRIVED, "connection_failed", None),
        (Outcome.MAY_HAVE_ARRIVED, "connection_lost", None),
    }


def test_a_connection_that_takes_no_byte_of_the_request_is_known_not_to_have():
    opened = threading.Event()

    def reset_once_opened(peer):
        opened.wait(5)
        peer.reset()

    with FaultServer(reset_once_opened) as server:
        connection = transport._new_connection(transport.Route(host="127.0.0.1", port=server.port))
        connection.open(time.monotonic() + 1)
        opened.set()
        time.sleep(0.1)
        with pytest.raises(ConnectionError) as caught:
            connection.exchange(b"POST / HTTP/1.1\r\n\r\n", math.inf)
    assert not connection.written
    assert connection.reason_for(caught.value) == "connection_failed"
    connection.close()


def test_a_name_that_cannot_be_looked_up_is_a_matter_of_configuration():
    route = transport.Route(host=f"{'a' * 64}.to", port=443)
    poster = transport.Transport(route, connect_timeout=CONNECT, call_timeout=CALL)
    with pytest.raises(transport.NoAnswer) as caught:
        poster.post(b"POST / HTTP/1.1\r\n\r\n")
    assert (caught.value.reason, caught.value.written) == ("configuration", False)


# It was written, in part or whole, and no status was read


@pytest.mark.parametrize("behaviour", [reset_after, close_after])
@pytest.mark.parametrize("size", [0, 2_000_000], ids=["small", "large"])
def test_a_connection_that_breaks_within_the_request_may_have_delivered_it(behaviour, size):
    with FaultServer(behaviour(20)) as server:
        result = notify(server.url, payload={"filler": "x" * size})
    assert ended(result) == (Outcome.MAY_HAVE_ARRIVED, "connection_lost", None)
    assert [request.whole for request in server.requests] == [False]


@pytest.mark.parametrize("behaviour", [reset_after, close_after])
def test_a_connection_that_breaks_after_the_request_may_have_delivered_it(behaviour):
    with FaultServer(behaviour()) as server:
        result = notify(server.url)
    assert ended(result) == (Outcome.MAY_HAVE_ARRIVED, "connection_lost", None)
    assert [request.whole for request in server.requests] == [True]


def test_a_server_that_stops_reading_may_have_read_enough():
    with FaultServer(stall_at_once) as server:
        result = notify(server.url, payload={"filler": "x" * 20_000_000}, call_timeout=1.0)
    assert ended(result) == (Outcome.MAY_HAVE_ARRIVED, "no_answer", None)


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.", b"HTTP/1.1 202 Accepted\r\nContent-", head(202)[:-2]],
    ids=["before the headers", "in the status line", "in a header", "after the headers"],
)
def test_a_stall_up_to_the_end_of_the_headers_may_have_arrived(said):
    with FaultServer(say(said, then=stall_at_once)) as server:
        result = notify(server.url)
    assert ended(result) == (Outcome.MAY_HAVE_ARRIVED, "no_answer", None)
    assert result.error_class == "TimeoutError"
    assert server.requests[0].whole


@pytest.mark.parametrize(
    "before", [b"", b"HTTP/1.1 202 Accepted\r\n"], ids=["status line", "headers"]
)
def test_a_dripping_head_is_given_up_when_the_time_for_the_call_is_over(before):
    with FaultServer(drip(b"HTTP/1.1-" * 20, after=before, interval=0.1)) as server:
        result = notify(server.url)
    assert ended(result) == (Outcome.MAY_HAVE_ARRIVED, "no_answer", None)
    assert result.duration >= CALL - 0.01


def held_up_after_writing(monkeypatch):
    """Have the thread come to the answer when the time for the call is over."""

    def read_late(stream):
        time.sleep(CALL + 0.1)
        return Incoming(stream)

    monkeypatch.setattr(transport, "Incoming", read_late)


@pytest.mark.parametrize("encrypted", [False, True], ids=["in clear", "tls"])
def test_an_answer_that_came_in_time_is_heard_by_a_thread_that_was_held_up(
    encrypted, tls, bundle, monkeypatch
):
    held_up_after_writing(monkeypatch)
    with FaultServer(answer(202), tls=tls if encrypted else None) as server:
        result = notify(server.url, **({"ca_bundle": bundle} if encrypted else {}))
    assert ended(result) == (Outcome.ACCEPTED, "", 202)


@pytest.mark.parametrize("encrypted", [False, True], ids=["in clear", "tls"])
@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 2"], ids=["nothing", "too little"])
def test_a_thread_that_was_held_up_does_not_wait_for_more(
    said, encrypted, tls, bundle, monkeypatch
):
    held_up_after_writing(monkeypatch)
    with FaultServer(say(said, then=stall_at_once), tls=tls if encrypted else None) as server:
        result = notify(server.url, **({"ca_bundle": bundle} if encrypted else {}))
    assert ended(result) == (Outcome.MAY_HAVE_ARRIVED, "no_answer", None)


def test_a_thread_that_was_held_up_does_not_read_on_and_on(monkeypatch):
    held_up_after_writing(monkeypatch)
    interim = b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000
    with FaultServer(say(interim, then=say(response(202)))) as server:
        result = notify(server.url)
    assert ended(result) == (Outcome.MAY_HAVE_ARRIVED, "no_answer", None)


@pytest.mark.parametrize(
    "said",
    [
        b"\x00\xff\xfe garbage\r\n\r\n",
        b"HTTP/1.1 accepted\r\n\r\n",
        b"HTTP/1.1 2\r\n\r\n",
        b"HTTP/2.0 202 Accepted\r\n\r\n",
        b"<html>202 Accepted</html>",
        head(202, *["X-Filler: x"] * 101),
        head(202, "X-Filler: " + "x" * 70_000),
        b"HTTP/1.1 202 " + b"x" * 70_000 + b"\r\n\r\n",
    ],
    ids=[
        "garbage",
        "status in words",
        "half a status",
        "another HTTP",
        "no HTTP",
        "over 100 headers",
        "a header of 70 kB",
        "a status line of 70 kB",
    ],
)
def test_an_answer_that_cannot_be_read_may_have_arrived(said):
    with FaultServer(say(said)) as server:
        result = notify(server.url)
    assert ended(result) == (Outcome.MAY_HAVE_ARRIVED, "bad_answer", None)
    assert server.requests[0].whole


@pytest.mark.parametrize("interim", [100, 102, 103])
def test_an_interim_answer_without_a_final_one_may_have_arrived(interim):
    with FaultServer(say(head(interim) * 3, then=stall_at_once)) as server:
        result = notify(server.url)
    assert ended(result) == (Outcome.MAY_HAVE_ARRIVED, "no_answer", None)


def test_an_interim_answer_is_followed_by_the_final_one():
    said = head(102) + head(103, "Link: </style.css>") + response(404)
    with FaultServer(say(said)) as server:
        result = notify(server.url)
    assert ended(result) == (Outcome.REJECTED, "http_404", 404)


def test_a_server_that_switches_protocols_may_have_taken_the_request():
    with FaultServer(say(head(101), then=stall_at_once)) as server:
        result = notify(server.url)
    assert ended(result) == (Outcome.MAY_HAVE_ARRIVED, "http_101", 101)


# A status was read: nothing that comes after it matters


ACCEPTED = (Outcome.ACCEPTED, "", 202)


@pytest.mark.parametrize(
    "behaviour",
    [
        say(b"HTTP/1.1 202 Accepted\r\nContent-Ty"),
        say(b"HTTP/1.1 202"),
        say(head(202, "Content-Length: 100") + b"half"),
        say(head(202, "Content-Length: 100") + b"half", then=lambda peer: peer.reset()),
        say(head(202, "Transfer-Encoding: chunked") + b"zz\r\nhalf"),
        say(head(202, "Transfer-Encoding: chunked") + b"-5\r\n" + b"x" * 100_000),
        say(head(202, "Transfer-Encoding: chunked") + b"4\r\nha"),
        say(head(202, "Transfer-Encoding: chunked") + b"4\r\nhalfX"),
        say(head(202, "Content-Length: what") + b"{}"),
        say(head(202, "Content-Length: 100") + b"half", then=stall_at_once),
        say(head(202, "Transfer-Encoding: chunked") + b"4\r\nhalf", then=stall_at_once),
        say(head(202) + b"no length", then=stall_at_once),
        say(head(202, "Content-Encoding: gzip", "Content-Length: 3") + b"bad"),
        answer(202, gzip.compress(b"0" * 50_000_000), {"Content-Encoding": "gzip"}),
        drip(b"x" * 100, after=head(202, "Content-Length: 100"), interval=0.1),
        drip(b"5\r\n" * 30, after=head(202, "Transfer-Encoding: chunked"), interval=0.1),
        flood(300_000_000),
    ],
    ids=[
        "closed within the headers",
        "closed within the status line",
        "half a body",
        "half a body and a reset",
        "a bad chunk",
        "a chunk of negative size",
        "half a chunk",
        "a chunk without an end",
        "a length in words",
        "a stall in the body",
        "a stall between chunks",
        "a stall without a length",
        "bad gzip",
        "a gzip bomb",
        "a dripping body",
        "dripping chunks",
        "300 MB",
    ],
)
def test_a_2xx_is_accepted_whatever_becomes_of_its_body(behaviour):
    with FaultServer(behaviour) as server:
        tracemalloc.start()
        try:
            result = notify(server.url)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert ended(result) == ACCEPTED
    assert server.requests[0].whole
    assert len(result.excerpt) <= 500
    assert peak < 4_000_000


def test_a_slow_body_is_waited_for_no_longer_than_it_is_worth(monkeypatch):
    monkeypatch.setattr(transport, "BODY_SECONDS", 0.2)
    with FaultServer(say(head(202, "Content-Length: 9") + b"half", then=stall_at_once)) as server:
        result = notify(server.url, call_timeout=30.0)
    assert ended(result) == ACCEPTED
    assert result.excerpt == "half"
    assert result.duration < 0.2 + SLACK


def test_a_body_that_breaks_off_leaves_the_other_statuses_what_they_are():
    for status, outcome in [(400, "rejected"), (401, "configuration"), (503, "turned_away")]:
        with FaultServer(say(head(status, "Content-Length: 100") + b"half")) as server:
            result = notify(server.url)
        assert ended(result) == (outcome, f"http_{status}", status)
        assert result.excerpt == "half"


def test_an_answer_given_before_the_request_was_read_is_heeded():
    def refuse_early(peer: Peer) -> None:
        peer.read_request(1000)
        peer.send(response(401))

    with FaultServer(refuse_early) as server:
        result = notify(server.url, payload={"filler": "x" * 20_000_000}, call_timeout=2.0)
    assert ended(result) == (Outcome.CONFIGURATION, "http_401", 401)
    assert not server.requests[0].whole


# TLS


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def bundle(authority, tmp_path_factory):
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture(scope="module")
def tls(authority):
    return serving(authority.issue_cert("localhost"))


def test_a_certificate_of_the_given_bundle_is_trusted(tls, bundle):
    with FaultServer(tls=tls) as server:
        assert ended(notify(server.url, ca_bundle=bundle)) == ACCEPTED
        url = f"chatitive://sid:token@localhost:{server.port}/channel?ca_bundle={bundle}"
        with Client.from_url(url) as client:
            assert client.notify("Ping", subscriber_sid="sub_1").outcome is Outcome.ACCEPTED
            assert client.notify("Ping", subscriber_sid="sub_1").outcome is Outcome.ACCEPTED
    assert server.connections == 2


def test_an_untrusted_certificate_is_a_matter_of_configuration(tls):
    with FaultServer(tls=tls) as server:
        result = notify(server.url)
    assert ended(result) == (Outcome.CONFIGURATION, "certificate_untrusted", None)
    assert result.error_class == "SSLCertVerificationError"
    assert server.requests == []


def test_a_bundle_that_changes_is_read_again(tls, bundle, tmp_path):
    changing = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(changing)
    with FaultServer(tls=tls) as server:
        result = notify(server.url, ca_bundle=str(changing))
        assert result.reason == "certificate_untrusted"
        changing.write_bytes(Path(bundle).read_bytes())
        assert notify(server.url, ca_bundle=str(changing)).outcome is Outcome.ACCEPTED


def test_a_directory_without_the_authority_trusts_nobody(tls, tmp_path):
    with FaultServer(tls=tls) as server:
        result = notify(server.url, ca_bundle=str(tmp_path))
    assert ended(result) == (Outcome.CONFIGURATION, "certificate_untrusted", None)


def test_another_hosts_certificate_is_a_matter_of_configuration(authority, bundle):
    with FaultServer(tls=serving(authority.issue_cert("other.example"))) as server:
        result = notify(server.url, ca_bundle=bundle)
    assert ended(result) == (Outcome.CONFIGURATION, "certificate_untrusted", None)
    assert server.requests == []


def test_an_expired_certificate_is_a_matter_of_configuration(authority, bundle):
    yesterday = datetime.now(UTC) - timedelta(days=1)
    expired = authority.issue_cert("localhost", not_after=yesterday)
    with FaultServer(tls=serving(expired)) as server:
        result = notify(server.url, ca_bundle=bundle)
    assert ended(result) == (Outcome.CONFIGURATION, "certificate_untrusted", None)


def drip_handshake(peer: Peer) -> None:
    peer.sock.recv(5)
    while not peer.server.stopped.wait(0.1):
        peer.send(b"\x16\x03\x03\x40\x00"[:1])


def reset_soon(peer: Peer) -> None:
    time.sleep(0.05)  # an earlier reset may still break off the connect
    peer.reset()


@pytest.mark.parametrize(
    "behaviour",
    [
        stall_at_once,
        drip_handshake,
        close_at_once,
        reset_soon,
        close_after(5),
        reset_after(5),
        answer(400),
    ],
    ids=["stall", "drip", "close", "reset", "close later", "reset later", "no TLS"],
)
def test_a_handshake_that_fails_has_not_arrived(behaviour):
    with FaultServer(behaviour) as server:
        result = notify(f"https://localhost:{server.port}")
    assert ended(result) == (Outcome.NOT_ARRIVED, "tls_failed", None)
    assert result.duration < CONNECT + SLACK


def test_an_old_tls_is_refused(authority, bundle):
    old = serving(authority.issue_cert("localhost"))
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.set_ciphers("AES128-SHA")
    with FaultServer(tls=old) as server:
        result = notify(server.url, ca_bundle=bundle)
    assert ended(result) == (Outcome.NOT_ARRIVED, "tls_failed", None)


def test_beneath_tls_a_server_that_stops_reading_may_have_read_enough(tls, bundle):
    with FaultServer(stall_at_once, tls=tls) as server:
        payload = {"filler": "x" * 20_000_000}
        result = notify(server.url, payload=payload, call_timeout=1.0, ca_bundle=bundle)
    assert ended(result) == (Outcome.MAY_HAVE_ARRIVED, "no_answer", None)


def test_beneath_tls_an_answer_given_before_the_request_was_read_is_heeded(tls, bundle):
    def refuse_early(peer: Peer) -> None:
        peer.read_request(1000)
        peer.send(response(401))

    with FaultServer(refuse_early, tls=tls) as server:
        payload = {"filler": "x" * 20_000_000}
        result = notify(server.url, payload=payload, call_timeout=2.0, ca_bundle=bundle)
    assert ended(result) == (Outcome.CONFIGURATION, "http_401", 401)


@pytest.mark.parametrize(
    ("behaviour", "end"),
    [
        (corrupt_tls, (Outcome.MAY_HAVE_ARRIVED, "bad_answer", None)),
        (reset_after(), (Outcome.MAY_HAVE_ARRIVED, "connection_lost", None)),
        (close_after(), (Outcome.MAY_HAVE_ARRIVED, "connection_lost", None)),
        (say(b"", then=stall_at_once), (Outcome.MAY_HAVE_ARRIVED, "no_answer", None)),
        (say(b"garbage\r\n\r\n"), (Outcome.MAY_HAVE_ARRIVED, "bad_answer", None)),
        (say(head(202, "Content-Length: 9") + b"half", then=corrupt_tls), ACCEPTED),
        (say(head(202, "Content-Length: 9") + b"half", then=stall_at_once), ACCEPTED),
        (drip(b"x" * 99, after=head(202, "Content-Length: 99"), interval=0.1), ACCEPTED),
        (drip(b"x" * 99, interval=0.1), (Outcome.MAY_HAVE_ARRIVED, "no_answer", None)),
    ],
    ids=[
        "corrupt record",
        "reset",
        "close",
        "stall",
        "garbage",
        "corrupt body",
        "stalling body",
        "dripping body",
        "dripping head",
    ],
)
def test_beneath_tls_the_same_two_facts_decide(behaviour, end, tls, bundle):
    with FaultServer(behaviour, tls=tls) as server:
        result = notify(server.url, ca_bundle=bundle)
    assert ended(result) == end
    assert server.requests[0].whole


# Proxies


PROXY_FAILED = (Outcome.NOT_ARRIVED, "proxy_failed", None)


def test_a_proxy_that_refuses_the_connection_has_not_let_it_arrive():
    result = notify("https://localhost:1", proxy=f"http://127.0.0.1:{closed_port()}")
    assert ended(result) == PROXY_FAILED


def test_a_proxy_that_never_answers_the_connect_has_not_let_it_arrive():
    with deaf_port() as port:
        result = notify("https://localhost:1", proxy=f"http://127.0.0.1:{port}")
    assert ended(result) == PROXY_FAILED


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "behaviour",
    [
        answer(407),
        answer(403),
        answer(502),
        answer(302),
        say(b"garbage\r\n\r\n"),
        reset_at_once,
        close_after(),
        reset_after(),
        stall_at_once,
        drip(b"HTTP/1.1 200 OK" * 9, interval=0.1),
        drip(b"X-Filler: x\r\n" * 9, after=b"HTTP/1.1 200 OK\r\n", interval=0.1),
    ],
    ids=[
        "407",
        "403",
        "502",
        "302",
        "garbage",
        "reset at once",
        "close",
        "reset",
        "stall",
        "dripping status",
        "dripping headers",
    ],
)
def test_a_proxy_that_grants_no_tunnel_has_not_let_it_arrive(behaviour, scheme):
    with FaultServer(behaviour) as proxy:
        result = notify(f"{scheme}://localhost:1", proxy=f"http://localhost:{proxy.port}")
    assert ended(result) == PROXY_FAILED
    assert result.duration < CONNECT + SLACK


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_call_through_a_proxy_is_answered_and_keeps_its_tunnel(scheme, tls, bundle):
    through = tunnel(answer(), tls=tls if scheme == "https" else None)
    with FaultServer(through) as server:
        client = Client(
            **SETTINGS,
            base_url=f"{scheme}://localhost:7777",
            proxy=f"http://us%20er:pa%2Fss@localhost:{server.port}",
            ca_bundle=bundle,
        )
        with client:
            for _ in range(2):
                assert client.notify("Ping", phone_number="1").outcome is Outcome.ACCEPTED
    connect, first, second = server.requests
    assert server.connections == 1
    assert (connect.method, connect.path) == ("CONNECT", "localhost:7777")
    assert connect.headers["proxy-authorization"] == "Basic dXMgZXI6cGEvc3M="
    assert "authorization" not in connect.headers
    assert first.headers["host"] == second.headers["host"] == "localhost:7777"
    assert "proxy-authorization" not in first.headers


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [(reset_after(), "connection_lost"), (close_after(), "connection_lost")],
    ids=["reset", "close"],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_breaks_after_the_request_may_have_let_it_arrive(
    behaviour, reason, scheme, tls, bundle
):
    through = tunnel(behaviour, tls=tls if scheme == "https" else None)
    with FaultServer(through) as server:
        result = notify(
            f"{scheme}://localhost:7777",
            proxy=f"http://localhost:{server.port}",
            ca_bundle=bundle,
        )
    assert ended(result) == (Outcome.MAY_HAVE_ARRIVED, reason, None)
    assert [request.whole for request in server.requests] == [True, True]


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [(stall_at_once, "tls_failed"), (close_at_once, "tls_failed")],
    ids=["stall", "close"],
)
def test_a_handshake_that_fails_in_a_tunnel_has_not_arrived(behaviour, reason):
    with FaultServer(tunnel(behaviour)) as server:
        result = notify("https://localhost:7777", proxy=f"http://localhost:{server.port}")
    assert ended(result) == (Outcome.NOT_ARRIVED, reason, None)
    assert result.duration < CONNECT + SLACK


def test_an_untrusted_certificate_in_a_tunnel_is_a_matter_of_configuration(tls):
    with FaultServer(tunnel(answer(), tls=tls)) as server:
        result = notify("https://localhost:7777", proxy=f"http://localhost:{server.port}")
    assert ended(result) == (Outcome.CONFIGURATION, "certificate_untrusted", None)


def test_no_fault_leaves_anything_behind_that_breaks_the_next_call():
    faults = [
        reset_at_once,
        reset_after(20),
        say(b"garbage\r\n\r\n"),
        say(head(202), then=stall_at_once),
        say(head(202, "Transfer-Encoding: chunked") + b"zz\r\n"),
        stall_at_once,
    ]
    last = say(head(200, "Content-Length: 0", "Connection: close"))
    script = [behaviour for fault in faults for behaviour in (fault, last)]
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(FaultServer(*script))
        client = stack.enter_context(
            Client(**SETTINGS, base_url=server.url, connect_timeout=CONNECT, call_timeout=CALL)
        )
        for _ in faults:
            client.notify("Ping", phone_number="1")
            assert client.notify("Ping", phone_number="1").http_status == 200


def test_a_call_that_is_held_up_past_its_start_writes_nothing():
    with FaultServer(answer(202)) as server, Client(**SETTINGS, base_url=server.url) as client:
        first = client.notify("Ping", phone_number="206-555-0123")
        late = client.notify("Ping", phone_number="206-555-0123", start_by=time.monotonic() - 1)
        assert (first.outcome, late.outcome) == (Outcome.ACCEPTED, Outcome.NOT_ARRIVED)
        assert late.reason == "overslept"
        assert len(server.requests) == 1


def test_a_call_that_is_held_up_while_it_connects_writes_nothing(monkeypatch):
    connect = transport._Connection.open

    def connect_slowly(self, deadline):
        connect(self, deadline)
        time.sleep(0.2)

    monkeypatch.setattr(transport._Connection, "open", connect_slowly)
    with FaultServer(answer(202)) as server, Client(**SETTINGS, base_url=server.url) as client:
        late = client.notify("Ping", phone_number="206-555-0123", start_by=time.monotonic() + 0.1)
        assert (late.outcome, late.reason) == (Outcome.NOT_ARRIVED, "overslept")
        assert server.requests == []


# To reach the API without sending it anything


def reach(base_url, **options):
    with Client(**SETTINGS, base_url=base_url, connect_timeout=CONNECT, **options) as client:
        found = client.reach()
    assert found.duration < CONNECT + SLACK
    return found.reason


def test_a_server_that_shakes_hands_is_reached_and_told_nothing(tls, bundle):
    with FaultServer(tls=tls) as server:
        assert reach(server.url, ca_bundle=bundle) == ""
        assert reach(server.url) == "certificate_untrusted"
    assert server.connections == 2
    assert server.requests == []


def test_what_keeps_the_api_from_being_reached_is_told():
    assert reach(f"http://localhost:{closed_port()}") == "connection_refused"
    assert reach("https://nowhere.invalid") == "name_not_found"
    with deaf_port() as port:
        assert reach(f"http://127.0.0.1:{port}") == "connect_timeout"
    with FaultServer(stall_at_once) as server:
        assert reach(server.url.replace("http", "https")) == "tls_failed"


def test_the_end_of_a_token_is_told_where_it_gives_nothing_away():
    def told(token):
        return Client(**{**SETTINGS, "token": token}).token_end

    assert told("0123456789abcdef") == "cdef"
    assert told("s3cr3t-token") == ""
