"""A server on loopback that misbehaves on purpose, and tells what it was sent.

    with FaultServer(answer(503), answer(202)) as server:
        ...call server.url...
    assert [request.whole for request in server.requests] == [True, True]

Each connection runs the next behaviour of the script, and the last one from then on. A behaviour is
a function of the connection (`Peer`); those below make the usual ones. When it returns, the
connection is closed in good order.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import ssl

BLOCK = 65536


@dataclass(kw_only=True)
class Received:
    """One request as far as it came; `whole` tells whether all of it did."""

    method: str = ""
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    """By lower-case name."""
    body: bytes = b""
    whole: bool = False
    at: float = 0.0
    """The moment (monotonic) at which all of it was there."""
    answer: bytes = b""
    """The first of what was said to it."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def answered(self) -> int | None:
        """The status that was begun to be told."""
        told = re.match(rb"HTTP/1\.[01] (\d{3})\b", self.answer)
        return int(told[1]) if told else None


class Peer:
    """One connection as a behaviour sees it."""

    def __init__(self, server: FaultServer, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self._unread = b""
        self._request: Received | None = None

    def read_request(self, limit: int | None = None) -> Received | None:
        """The next request, kept in `server.requests`; None when there is none.

        With `limit` no more than so many bytes are taken, and the request stays unfinished.
        """
        raw = self._unread
        request: Received | None = None
        while request is None or not request.whole:
            if raw:
                if request is None:
                    request = self._request = Received()
                    self.server.requests.append(request)
                self._unread = _fill(request, raw)
            if (request is not None and request.whole) or (limit is not None and len(raw) >= limit):
                break
            block = self.sock.recv(BLOCK if limit is None else limit - len(raw))
            if not block:
                break
            raw += block
        return request

    def send(self, data: bytes) -> None:
        if self._request is not None and not self._request.answer:
            self._request.answer = data[:64]
        self.sock.sendall(data)

    def send_in_clear(self, data: bytes) -> None:
        """Write beneath TLS, which the client then can't decrypt."""
        os.write(self.sock.fileno(), data)

    def reset(self) -> None:
        """Abort the connection: the client gets RST instead of an end."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def stall(self) -> None:
        """Do nothing until the server stops."""
        self.server.stopped.wait()

    def start_tls(self, context: ssl.SSLContext) -> None:
        # Known to the server before the handshake, which it could not end otherwise.
        self.sock = tls = context.wrap_socket(
            self.sock, server_side=True, do_handshake_on_connect=False
        )
        tls.do_handshake()


Behaviour = Callable[[Peer], None]


class FaultServer:
    """Runs its script of behaviours until the `with` block ends, then stops every thread."""

    def __init__(self, *script: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self.script = script or (answer(),)
        self.tls = tls
        self.requests: list[Received] = []
        self.connections = 0
        self.stopped = threading.Event()
        self._errors: list[Exception] = []
        self._peers: list[Peer] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    @property
    def open_connections(self) -> int:
        return sum(thread.is_alive() for thread in self._threads)

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stopped.set()
        self._close()
        if self._errors:
            raise self._errors[0]

    @contextlib.contextmanager
    def closed(self) -> Iterator[None]:
        """Refuse connections at this port, and end those that there are, while the block lasts."""
        self._close()
        try:
            yield
        finally:
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
            self._open()

    def _open(self) -> None:
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    def _close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # ends the acceptor's wait
        self._acceptor.join()
        self._listener.close()
        for peer in self._peers:
            with contextlib.suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            behaviour = self.script[min(self.connections, len(self.script) - 1)]
            self.connections += 1
            peer = Peer(self, sock)
            thread = threading.Thread(target=self._serve, args=(peer, behaviour))
            self._peers.append(peer)
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer: Peer, behaviour: Behaviour) -> None:
        try:
            if self.tls is not None:
                peer.start_tls(self.tls)
            behaviour(peer)
        except OSError:
            pass  # the client, or the end of the test, closed the connection
        except Exception as error:  # noqa: BLE001 - raised where the `with` block ends
            self._errors.append(error)
        finally:
            peer.sock.close()


def answer(
    status: int = 202,
    body: bytes = b"{}",
    headers: Mapping[str, str] | None = None,
    *,
    delay: float = 0.0,
    times: int | None = None,
) -> Behaviour:
    """Answer as a good server, over a kept-alive connection, `times` requests or all of them."""

    def behave(peer: Peer) -> None:
        served = 0
        while (times is None or served < times) and peer.read_request():
            peer.server.stopped.wait(delay)
            peer.send(response(status, body, headers))
            served += 1

    return behave


def answer_in_turn(*statuses: int) -> Behaviour:
    """Answer the server's requests, on whichever connection, with one status each.

    The last one is the answer from then on.
    """
    turns = itertools.count()

    def behave(peer: Peer) -> None:
        while peer.read_request():
            peer.send(response(statuses[min(next(turns), len(statuses) - 1)]))

    return behave


def reset_at_once(peer: Peer) -> None:
    peer.reset()


def close_at_once(_peer: Peer) -> None:
    """Nothing: when a behaviour returns the connection is closed."""


def stall_at_once(peer: Peer) -> None:
    peer.stall()


def reset_after(limit: int | None = None) -> Behaviour:
    """Reset after so many bytes of the request, or after all of it."""

    def behave(peer: Peer) -> None:
        peer.read_request(limit)
        peer.reset()

    return behave


def close_after(limit: int | None = None) -> Behaviour:
    """Close after so many bytes of the request, or after all of it."""

    def behave(peer: Peer) -> None:
        peer.read_request(limit)

    return behave


def say(data: bytes, then: Behaviour = close_at_once) -> Behaviour:
    """Read a request whole, write these bytes, and go on with another behaviour."""

    def behave(peer: Peer) -> None:
        peer.read_request()
        peer.send(data)
        then(peer)

    return behave


def drip(data: bytes, *, after: bytes = b"", interval: float = 0.5) -> Behaviour:
    """Read a request whole, write `after`, then `data` in single bytes for as long as it takes."""

    def behave(peer: Peer) -> None:
        peer.read_request()
        peer.send(after)
        for byte in data:
            peer.send(bytes([byte]))
            if peer.server.stopped.wait(interval):
                return

    return behave


def flood(size: int) -> Behaviour:
    """Answer 202 with a body of `size` bytes, which is never held in memory."""

    def behave(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\n\r\n" % size)
        block = b"x" * BLOCK
        for _ in range(size // BLOCK):
            peer.send(block)

    return behave


def tunnel(then: Behaviour, *, tls: ssl.SSLContext | None = None) -> Behaviour:
    """Be a proxy: grant CONNECT, and be the API behind it too."""

    def behave(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        if tls is not None:
            peer.start_tls(tls)
        then(peer)

    return behave


def corrupt_tls(peer: Peer) -> None:
    """Answer a request with a TLS record that nobody can decrypt."""
    peer.read_request()
    peer.send_in_clear(b"\x17\x03\x03\x00\x20" + b"\xaa" * 32)


def response(
    status: int = 202, body: bytes = b"{}", headers: Mapping[str, str] | None = None
) -> bytes:
    if status in {204, 304}:
        body = b""
    lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def deaf_port() -> Iterator[int]:
    """A port that never answers a connect: its queue is full, so Linux drops the next SYN."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def _fill(request: Received, raw: bytes) -> bytes:
    """Read `raw`, the request from its first byte, into it; what follows it is returned."""
    head, end, rest = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    request.method, request.path = [*lines[0].split(" "), "", ""][:2]
    if not end:
        return b""
    request.headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines[1:])
    }
    length = int(request.headers.get("content-length", 0))
    request.body, request.whole = rest[:length], len(rest) >= length
    request.at = time.monotonic()
    return rest[length:]
