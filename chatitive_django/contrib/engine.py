"""What the task engines' dispatchers share: a message wakes a delivery, and carries nothing.

The table stays the truth, so a lost, doubled or late message changes no outcome. What no message
wakes, a retry that has become due or the row of a worker that died, is found by a periodic sweep.
"""

from __future__ import annotations

import logging
import threading
import time

from .. import log, sweepers
from ..conf import settings
from ..dispatch import Dispatcher
from ..worker import Worker

logger = logging.getLogger("chatitive_django")

SECONDS_OF_CLAIMING = 10.0
"""How long one task claims, so that it neither holds up the engine's other tasks nor its end."""


class EngineDispatcher(Dispatcher):
    """Sends a message after each commit; one that can't be sent breaks nothing."""

    _silent_until = 0.0

    def send(self) -> None:
        """Have the engine run `deliver` soon."""
        raise NotImplementedError

    def wake(self) -> None:
        if time.monotonic() < self._silent_until:
            return
        try:
            self.send()
        except Exception as error:  # noqa: BLE001 -- whatever an engine raises, the commit stands
            # An engine that takes a second to fail takes it from one request each sweep. The text
            # of the error isn't told: it may hold the broker's URL.
            self._silent_until = time.monotonic() + settings.SWEEP_INTERVAL
            logger.error(
                "No delivery could be woken (%s): messages wait for the sweep.",
                type(error).__name__,
            )

    def deliver(self) -> None:
        """Deliver what is due for a while, and leave what is left to another message."""
        if not deliver_briefly(SECONDS_OF_CLAIMING):
            self.wake()


def deliver_briefly(seconds: float) -> bool:
    """Deliver until nothing is due, or claim no more after so long; gives whether all was done.

    Where there is nothing to do it costs four small queries, for each commit may ask for it.
    """
    if not (log.work_waits(settings.API_URLS) or sweepers.run()):
        return True
    worker = Worker(concurrency=settings.CONCURRENCY)
    limit = threading.Timer(seconds, worker.stop)
    limit.daemon = True
    limit.start()
    ends_at = time.monotonic() + seconds
    try:
        worker.run(idle_exit=0)
    finally:
        limit.cancel()
    return time.monotonic() < ends_at
