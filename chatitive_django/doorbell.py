"""What ends a worker's wait: a result, a wake-up, and on PostgreSQL a commit in another process."""

from __future__ import annotations

import selectors
import socket
from contextlib import suppress
from typing import Any

from django.db import connections

NOTIFY_CHANNEL = "chatitive_django"


def ring_everywhere(using: str) -> None:
    """Wake the workers on all machines that wait at this database; nothing but on PostgreSQL."""
    connection = connections[using]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {NOTIFY_CHANNEL}")


class Doorbell:
    """Rung from any thread or signal handler; waited at by one thread.

    Where PostgreSQL's LISTEN is there, a commit that recorded something rings too. It uses the
    connection of the thread that waits, and where it hears nothing (pgbouncer) nothing is lost: the
    wait has an end.
    """

    def __init__(self) -> None:
        self._inside, self._outside = socket.socketpair()
        self._inside.setblocking(False)
        self._outside.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._inside, selectors.EVENT_READ)
        self._heard = False
        self._listening: Any = None
        self._listening_at = -1
        self._failure: type[Exception]

    def ring(self) -> None:
        """End the wait, or the next one if nobody waits."""
        with suppress(BlockingIOError, OSError):  # full: it will be heard; closed: nobody waits
            self._outside.send(b"!")

    def listen(self, using: str) -> None:
        """Hear of commits over this thread's connection, as long as that is open."""
        connection = connections[using]
        if connection.vendor != "postgresql":
            return
        connection.ensure_connection()
        if connection.connection is self._listening:
            return
        self.stop_listening()
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {NOTIFY_CHANNEL}")
        self._listening = connection.connection
        self._failure = connection.Database.Error  # type: ignore[attr-defined]
        if hasattr(self._listening, "add_notify_handler"):  # psycopg 3; psycopg2 has a list
            self._listening.add_notify_handler(self._note)
        self._listening_at = self._listening.fileno()
        self._selector.register(self._listening_at, selectors.EVENT_READ)

    def stop_listening(self) -> None:
        """Forget the connection that was listened on; to be called before it is closed."""
        if self._listening is not None:
            with suppress(KeyError, ValueError, OSError):
                self._selector.unregister(self._listening_at)
            self._listening = None

    def wait(self, seconds: float) -> None:
        """Wait to be rung, so long at most."""
        if self._heard_while_busy():
            return
        rung = {key.fd for key, _ in self._selector.select(seconds)}
        if self._listening is not None and self._listening_at in rung:
            self._take_off_the_wire()
        with suppress(BlockingIOError):
            self._inside.recv(4096)

    def close(self) -> None:
        """Take the bell down."""
        self.stop_listening()
        self._selector.close()
        self._inside.close()
        self._outside.close()

    def _take_off_the_wire(self) -> None:
        """Read what was told of commits: left there, it would end each wait until a query is made.

        A connection that was closed meanwhile tells its end for ever; the next query tells of it.
        """
        try:
            if hasattr(self._listening, "pgconn"):  # psycopg 3
                self._listening.pgconn.consume_input()
                while self._listening.pgconn.notifies():
                    pass
            else:
                self._listening.poll()
                self._listening.notifies.clear()
        except self._failure:
            self.stop_listening()

    def _note(self, notification: object) -> None:
        self._heard = True

    def _heard_while_busy(self) -> bool:
        """Whether a commit was told of during a query, whose answer took it off the wire."""
        heard, self._heard = self._heard, False
        told = getattr(self._listening, "notifies", None)
        if isinstance(told, list) and told:
            told.clear()
            heard = True
        return heard
