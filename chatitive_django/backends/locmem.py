"""For tests: keeps each message in a list."""

from __future__ import annotations

from ..conf import in_test_environment
from ..outcomes import Outcome, Result
from .base import Backend, Message

outbox: list[Message] = []
"""Every message that a locmem channel took in this process, in order."""


class LocmemBackend(Backend):
    """`locmem://`; accepts in Django's test environment, elsewhere nothing counts as accepted."""

    def post(self, message: Message, *, start_by: float) -> Result:
        outbox.append(message)
        if in_test_environment():
            return Result(outcome=Outcome.ACCEPTED)
        return Result(outcome=Outcome.NOT_SENT, reason="printed_not_sent")
