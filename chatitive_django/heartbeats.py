"""Which processes deliver, and which of them were lost: a row each, touched at every sweep."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Q, QuerySet

from .conf import settings
from .dbtime import DatabaseNow
from .models import Heartbeat, log_alias

MISSED_BEFORE_LOST = 4
KEPT = timedelta(days=1)
"""How long a process that was lost is remembered."""


class Pulse:
    """The heartbeat of one process that delivers."""

    def __init__(self, kind: Heartbeat.Kind, *, channels: Iterable[str], concurrency: int) -> None:
        self._row = Heartbeat(
            id=uuid.uuid4(),
            kind=kind,
            host=socket.gethostname()[:255],
            pid=os.getpid(),
            channels=", ".join(channels)[:1000],
            concurrency=concurrency,
        )

    def beat(self) -> None:
        """Be seen now, and forget processes that were lost long ago."""
        rows = _rows()
        if not rows.filter(pk=self._row.pk).update(seen_at=DatabaseNow()):
            self._row.started_at = self._row.seen_at = DatabaseNow()
            rows.bulk_create([self._row])
            rows.filter(seen_at__lt=DatabaseNow(-KEPT)).delete()

    def stop(self) -> None:
        """Be gone, in order."""
        _rows().filter(pk=self._row.pk).delete()


def is_alive() -> Q:
    """Whether a process was seen lately."""
    patience = timedelta(seconds=settings.SWEEP_INTERVAL * MISSED_BEFORE_LOST)
    return Q(seen_at__gte=DatabaseNow(-patience))


def _rows() -> QuerySet[Heartbeat]:
    return Heartbeat.objects.using(log_alias())
