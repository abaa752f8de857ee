"""Celery delivers: `CHATITIVE["DISPATCHER"] = "celery"`, and a beat entry for the sweep."""

from __future__ import annotations

from ..conf import InvalidSetting
from .engine import EngineDispatcher

try:
    from celery import shared_task
    from kombu.pools import producers
except ModuleNotFoundError:
    raise InvalidSetting(
        'CHATITIVE["DISPATCHER"] is "celery", and Celery isn\'t installed: '
        'pip install "chatitive-django[celery]".'
    ) from None

HOUR = 60 * 60

ONE_RETRY_AT_ONCE = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
"""Enough for a connection that the broker has closed; a request can't wait for more."""

SECONDS_TO_ANSWER = 1
WITHOUT_WAITING = {
    **ONE_RETRY_AT_ONCE,
    "socket_connect_timeout": SECONDS_TO_ANSWER,  # these two are Redis's
    "socket_timeout": SECONDS_TO_ANSWER,
    "write_timeout": SECONDS_TO_ANSWER,  # AMQP's
}


@shared_task(
    name="chatitive_django.deliver",
    ignore_result=True,
    expires=HOUR,  # what piled up without a worker evaporates, and a slow queue starves nobody
    soft_time_limit=HOUR,  # instead of the project's, for a call that is cut off is an unknown
    time_limit=HOUR,
)
def deliver() -> None:
    """Deliver what is due; to call it too often, or at once in many workers, does no harm."""
    CeleryDispatcher().deliver()


class CeleryDispatcher(EngineDispatcher):
    """Publishes a wake-up to the project's broker, over a connection that fails fast."""

    def send(self) -> None:
        connection = deliver.app.connection_for_write(
            connect_timeout=SECONDS_TO_ANSWER, transport_options=WITHOUT_WAITING
        )
        with producers[connection].acquire(block=True, timeout=SECONDS_TO_ANSWER) as producer:
            deliver.apply_async(producer=producer, retry=True, retry_policy=ONE_RETRY_AT_ONCE)
