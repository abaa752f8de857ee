"""For development: prints each message instead of sending it."""

from __future__ import annotations

import json
import sys

from ..outcomes import Outcome, Result
from .base import Backend, Message


class ConsoleBackend(Backend):
    """`console://`; its notifications end as skipped, for nothing was accepted by anyone."""

    def post(self, message: Message, *, start_by: float) -> Result:
        subscriber = message.subscriber_sid or message.phone_number
        body = json.dumps(message.payload, indent=2, ensure_ascii=False)
        sys.stdout.write(f"[{self.alias}] {message.event_name} to {subscriber}\n{body}\n")
        sys.stdout.flush()
        return Result(outcome=Outcome.NOT_SENT, reason="printed_not_sent")
