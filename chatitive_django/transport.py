"""Posts over kept-alive connections that hold a deadline and know what they have written.

What an HTTP library raises does not tell whether a request arrived. Two facts do: was a byte of it
written, and was the head of an answer read. So a call ends here in an `Answer`, or in a `NoAnswer`
that holds the first fact. Breaking off the body fails no call: by then the status has said it all.
"""

from __future__ import annotations

import functools
import http.client
import io
import math
import os
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, cast

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from .answers import Answer, Incoming
from .exceptions import InvalidURL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from _typeshed import WriteableBuffer

# Why a call has no answer. A call that has one gives `http_<status>` instead, or "" for 2xx.
CONFIGURATION: Final = "configuration"
CERTIFICATE_UNTRUSTED: Final = "certificate_untrusted"
NAME_NOT_FOUND: Final = "name_not_found"
CONNECTION_REFUSED: Final = "connection_refused"
CONNECT_TIMEOUT: Final = "connect_timeout"
PROXY_FAILED: Final = "proxy_failed"
TLS_FAILED: Final = "tls_failed"
CONNECTION_FAILED: Final = "connection_failed"
NO_ANSWER: Final = "no_answer"
CONNECTION_LOST: Final = "connection_lost"
BAD_ANSWER: Final = "bad_answer"
OVERSLEPT: Final = "overslept"

BODY_SECONDS: Final = 5.0
"""How long the body may take: it is for people to read, and holds up the next call."""
IDLE_SECONDS: Final = 1.5
"""How long a connection is kept for the next call.

A server that closes it while the next request is on its way leaves a call of which nobody knows
whether it arrived. The shortest limit in wide use is gunicorn's: two seconds.
"""

_PIECE: Final = 16 * 1024
"""Bytes that are written in one go: a record of TLS, so that none of it arrived if that fails."""

_FAILURES: Final = (OSError, http.client.HTTPException, HTTPError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """An HTTP proxy that is asked, by CONNECT, for a tunnel to the API."""

    host: str
    port: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where calls go and how they get there; without `tls` in clear."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    proxy: Proxy | None = None


class NoAnswer(Exception):
    """No status was read; `written` tells whether a byte of the request had gone out."""

    def __init__(self, reason: str, *, written: bool, error_class: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.written = written
        self.error_class = error_class


def tls_context(ca_bundle: str | None = None) -> ssl.SSLContext:
    """A context that verifies certificates and host names, by a PEM file or a directory of them."""
    bundle = Path(ca_bundle or DEFAULT_CA_BUNDLE_PATH)
    try:
        return _loaded(bundle, bundle.stat().st_mtime_ns)
    except OSError as error:
        raise InvalidURL(
            f'ca_bundle: no certificate can be read from "{bundle}" ({type(error).__name__}). '
            "Give a PEM file or a directory of them."
        ) from None


@functools.lru_cache(maxsize=8)
def _loaded(bundle: Path, _changed_at: int) -> ssl.SSLContext:
    """A bundle as it is since then: to read the usual one takes longer than most calls do."""
    if bundle.is_dir():
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle)


class Transport:
    """Posts to one route, each thread of each process over a connection of its own."""

    def __init__(self, route: Route, *, connect_timeout: float, call_timeout: float) -> None:
        self._route = route
        self._connect_timeout = connect_timeout
        self._call_timeout = call_timeout
        self._idle = threading.local()

    def post(self, request: bytes, *, start_by: float = math.inf) -> Answer:
        """The answer to a request, given as it is written; raises `NoAnswer` once the time is up.

        So it does after `start_by` (monotonic) unless a byte has been written by then. Only the
        lookup of a host's name is not bounded here: the system's resolver bounds it.
        """
        deadline = time.monotonic() + self._call_timeout
        idle = self._idle
        connection = _take(idle) or _new_connection(self._route)
        connection.written = keep = False
        try:
            _refuse_after(start_by)
            if connection.sock is None:
                connection.open(min(deadline, time.monotonic() + self._connect_timeout))
            connection.deadline = deadline
            incoming = connection.exchange(request, start_by)
            connection.deadline = min(deadline, time.monotonic() + BODY_SECONDS)
            answer = incoming.finish()
            keep = answer.whole and not incoming.closes
            return answer
        except _FAILURES as failure:
            raise NoAnswer(
                connection.reason_for(failure),
                written=connection.written,
                error_class=type(failure).__name__,
            ) from None
        finally:
            if keep:
                idle.kept = (os.getpid(), time.monotonic(), connection)
            else:
                connection.close()

    def reach(self) -> None:
        """Connect, tunnel and shake hands, and write no request; raises `NoAnswer`."""
        connection = _new_connection(self._route)
        try:
            connection.open(time.monotonic() + self._connect_timeout)
        except _FAILURES as failure:
            raise NoAnswer(
                connection.reason_for(failure), written=False, error_class=type(failure).__name__
            ) from None
        finally:
            connection.close()

    def close(self) -> None:
        """Close every thread's idle connection; a call under way ends by itself."""
        # With the last reference to a local goes what each thread keeps in it.
        self._idle = threading.local()


class _Overslept(TimeoutError):
    """Too late to begin."""


def _refuse_after(start_by: float) -> None:
    if time.monotonic() > start_by:
        raise _Overslept


class _DeadlineReader(io.RawIOBase):
    """A socket's bytes; each read waits for what the call has left, so no drip outlasts it.

    A thread that was held up past the deadline looks once at what has come: it may be the answer.
    """

    def __init__(self, sock: socket.socket, left: Callable[[], float]) -> None:
        self._sock = sock
        self._left = left
        self._looked_late = False

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What `HTTPResponse` asks a socket for."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        left = self._left()
        if left <= 0 and self._looked_late:
            raise TimeoutError
        self._looked_late = left <= 0
        self._sock.settimeout(max(left, 0.0))
        try:
            return self._sock.recv_into(buffer)
        except (BlockingIOError, ssl.SSLWantReadError):
            raise TimeoutError from None


class _Connection(HTTPConnection):
    """A connection whose every wait ends at `deadline`, and which notes how far it came."""

    deadline = 0.0
    written = False
    proxied = False
    _reached: Literal["address", "proxy", "tls", "request"] = "address"

    def open(self, deadline: float) -> None:
        """Connect, tunnel and shake hands; nothing written meanwhile is part of a request."""
        self.deadline = deadline
        self.connect()
        self._reached = "request"

    def exchange(self, request: bytes, start_by: float) -> Incoming:
        """Write a request whole and read the head of its answer."""
        _refuse_after(start_by)
        try:
            self.send(request)
        except (ConnectionError, ssl.SSLEOFError):
            # A server that refuses early answers and closes before it has read everything.
            if not self.written:
                raise
        return Incoming(io.BufferedReader(_DeadlineReader(self.sock, self.left)))

    def reason_for(self, failure: Exception) -> str:
        """The code for what ended a call on this connection."""
        if self.written:
            return _reason_after_writing(failure)
        if isinstance(failure, _Overslept):
            return OVERSLEPT
        if isinstance(failure, ssl.SSLCertVerificationError):
            return CERTIFICATE_UNTRUSTED
        if isinstance(failure, ValueError):
            return CONFIGURATION
        if self._reached == "tls":
            return TLS_FAILED
        if self._reached == "request":
            return CONNECTION_FAILED
        return PROXY_FAILED if self.proxied else _reason_unconnected(failure)

    def left(self) -> float:
        """Seconds until the deadline, less than none after it."""
        return self.deadline - time.monotonic()

    def remaining(self) -> float:
        """Seconds until the deadline; raises `TimeoutError` after it."""
        left = self.left()
        if left <= 0:
            raise TimeoutError
        return left

    def send(self, data: bytes) -> None:  # type: ignore[override]
        # `sendall` tells nobody how much it sent before it failed.
        view = memoryview(data)
        while view:
            self.sock.settimeout(self.remaining())
            view = view[self.sock.send(view[:_PIECE]) :]
            self.written = self._reached == "request"

    def response_class(  # type: ignore[override]
        self, sock: socket.socket, debuglevel: int = 0, method: str | None = None
    ) -> http.client.HTTPResponse:
        reader = _DeadlineReader(sock, self.left)
        return http.client.HTTPResponse(cast("socket.socket", reader), debuglevel, method)

    def _new_conn(self) -> socket.socket:
        # Each address has its share of the time; urllib3 would give each of them all of it.
        addresses = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        failure = OSError("the name has no address")
        try:
            for number, (family, kind, protocol, _, address) in enumerate(addresses):
                sock = socket.socket(family, kind, protocol)
                try:
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    sock.settimeout(self.remaining() / (len(addresses) - number))
                    sock.connect(address)
                    sock.settimeout(self.remaining())
                except OSError as error:
                    sock.close()
                    failure = error
                else:
                    self._reached = "proxy" if self.proxied else "tls"
                    return sock
            raise failure
        finally:
            # Its traceback holds this frame: a cycle that would keep `self` open after close().
            del failure

    def _tunnel(self) -> None:
        super()._tunnel()  # type: ignore[misc, unused-ignore]
        self.sock.settimeout(self.remaining())
        self._reached = "tls"

    def __del__(self) -> None:
        # A thread that ends leaves its connection behind.
        self.close()


class _TLSConnection(_Connection, HTTPSConnection):
    """The same with TLS, which verifies the certificate and the host's name."""


def _new_connection(route: Route) -> _Connection:
    first = route.proxy or route
    if route.tls is None:
        connection = _Connection(first.host, first.port)
    else:
        connection = _TLSConnection(first.host, first.port, ssl_context=route.tls)
    if route.proxy is not None:
        connection.proxied = True
        connection.set_tunnel(route.host, route.port, headers=route.proxy.headers)
    return connection


def _take(idle: threading.local) -> _Connection | None:
    """This thread's idle connection, unless it is old, closed by the server, or from before a fork.

    It is taken out while in use: whatever breaks off a call, the next one can't read its answer.
    """
    pid, since, connection = vars(idle).pop("kept", (0, 0.0, None))
    if connection is None:
        return None
    recent = time.monotonic() - since < IDLE_SECONDS
    if pid == os.getpid() and recent and connection.is_connected:
        return cast("_Connection", connection)
    connection.close()
    return None


def _reason_unconnected(failure: Exception) -> str:
    if isinstance(failure, socket.gaierror):
        return NAME_NOT_FOUND
    if isinstance(failure, TimeoutError):
        return CONNECT_TIMEOUT
    if isinstance(failure, ConnectionRefusedError):
        return CONNECTION_REFUSED
    return CONNECTION_FAILED


def _reason_after_writing(failure: Exception) -> str:
    if isinstance(failure, TimeoutError):
        return NO_ANSWER
    if isinstance(failure, ssl.SSLError) and not isinstance(failure, ssl.SSLEOFError):
        return BAD_ANSWER
    return CONNECTION_LOST if isinstance(failure, OSError) else BAD_ANSWER
