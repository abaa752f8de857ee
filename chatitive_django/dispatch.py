"""When delivery runs: in the serving process, at once, or in workers of its own."""

from __future__ import annotations

import atexit
import functools
import logging
import os
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.utils.module_loading import import_string

from .conf import InvalidSetting, did_you_mean, settings
from .doorbell import ring_everywhere
from .models import Heartbeat, log_alias
from .worker import Worker, deliver

logger = logging.getLogger("chatitive_django")

SECONDS_TO_FINISH_AT_EXIT = 10.0


class Dispatcher:
    """Told when a process begins to serve requests and when it has committed notifications."""

    def serve(self) -> None:
        """A request has begun in this process."""

    def wake(self) -> None:
        """Notifications were committed in this process."""


class WorkerDispatcher(Dispatcher):
    """`manage.py chatitive worker` delivers; on PostgreSQL it is told of each commit."""

    def wake(self) -> None:
        ring_everywhere(log_alias())


class ImmediateDispatcher(Dispatcher):
    """Delivers on commit, in line: for tests and scripts."""

    def wake(self) -> None:
        deliver(inline=True)


class EmbeddedDispatcher(Dispatcher):
    """A daemon thread in the processes that serve requests.

    It is started by the first request, never by a commit: what commands and shells record is
    found by its sweep. It holds no database connection while idle, and at exit it stops claiming
    and waits for what is in hand.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._refused = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)
        atexit.register(self.finish)

    def serve(self) -> None:
        if self._refused or self._runs() or _in_memory():
            return
        with self._lock:
            if self._runs():
                return
            worker = Worker(
                concurrency=2,
                poll_interval=settings.SWEEP_INTERVAL,
                keep_connection=False,
                kind=Heartbeat.Kind.EMBEDDED,
            )
            thread = threading.Thread(
                target=self._run, args=[worker], name="chatitive-embedded", daemon=True
            )
            self._worker, self._thread, self._pid = worker, thread, os.getpid()
            thread.start()

    def _run(self, worker: Worker) -> None:
        try:
            worker.run()
        except ImproperlyConfigured as error:
            self._refused = True
            logger.error("Nothing is delivered by this process: %s", error)
        except Exception as error:  # noqa: BLE001 -- told, and begun again by the next request
            where = "".join(traceback.format_tb(error.__traceback__))
            logger.error("The embedded delivery ended by %s at\n%s", type(error).__name__, where)
        finally:
            connections.close_all()

    def wake(self) -> None:
        if self._worker is not None and self._pid == os.getpid():
            self._worker.wake()

    def finish(self) -> None:
        """Stop claiming, and wait a little for what is in hand."""
        if self._worker is not None and self._thread is not None and self._pid == os.getpid():
            self._worker.stop()
            self._thread.join(SECONDS_TO_FINISH_AT_EXIT)

    def _runs(self) -> bool:
        alive = self._thread is not None and self._thread.is_alive()
        return alive and self._pid == os.getpid()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._worker = self._thread = None


def _in_memory() -> bool:
    connection: Any = connections[log_alias()]
    return connection.vendor == "sqlite" and bool(connection.is_in_memory_db())


DISPATCHERS: dict[str, type[Dispatcher]] = {
    "embedded": EmbeddedDispatcher,
    "immediate": ImmediateDispatcher,
    "worker": WorkerDispatcher,
}
# By path, for each needs a library that most projects don't have.
ENGINES = {
    "celery": "chatitive_django.contrib.celery.CeleryDispatcher",
    "tasks": "chatitive_django.contrib.tasks.TasksDispatcher",
}


def get_dispatcher() -> Dispatcher:
    """The dispatcher that `CHATITIVE["DISPATCHER"]` names; raises `InvalidSetting`."""
    return _make(settings.DISPATCHER)


@functools.cache
def _make(name: str) -> Dispatcher:
    if name in DISPATCHERS:
        return DISPATCHERS[name]()
    try:
        found = import_string(ENGINES.get(name, name))
    except ImportError:
        raise InvalidSetting(
            f'CHATITIVE["DISPATCHER"] is {name!r}, which can\'t be imported. '
            f"{did_you_mean(name, [*DISPATCHERS, *ENGINES])}"
        ) from None
    if not (isinstance(found, type) and issubclass(found, Dispatcher)):
        raise InvalidSetting(f'CHATITIVE["DISPATCHER"] is {name!r}, which is no Dispatcher.')
    return found()


def on_request_started(sender: object, **kwargs: object) -> None:
    with _logged():
        get_dispatcher().serve()


def on_notifications_committed(sender: object, **kwargs: object) -> None:
    with _logged():
        get_dispatcher().wake()


@contextmanager
def _logged() -> Iterator[None]:
    """A broken setting stops no request and no write: the rows wait until it is mended."""
    try:
        yield
    except ImproperlyConfigured as error:
        logger.error("Nothing is delivered: %s", error)
