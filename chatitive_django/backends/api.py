"""The Chatitive API itself."""

from __future__ import annotations

from ..client import Client
from ..conf import settings
from ..exceptions import InvalidRequest
from ..outcomes import Outcome, Reach, Result
from .base import Backend, Message


class APIBackend(Backend):
    """`chatitive://SID:TOKEN@host/CHANNEL_SID`; `chatitive+http://` on the loopback only."""

    reaches_phones = True

    def __init__(self, alias: str, url: str) -> None:
        super().__init__(alias, url)
        self._client = Client.from_url(
            url,
            connect_timeout=settings.CONNECT_TIMEOUT,
            call_timeout=settings.CALL_TIMEOUT,
        )
        self.host, self.token_end = self._client.host, self._client.token_end

    def post(self, message: Message, *, start_by: float) -> Result:
        try:
            return self._client.notify(
                message.event_name,
                phone_number=message.phone_number,
                subscriber_sid=message.subscriber_sid,
                payload=message.payload,
                allow_new=message.allow_new,
                subscribe_new=message.subscribe_new,
                idempotency_key=message.idempotency_key,
                start_by=start_by,
            )
        except InvalidRequest:
            return Result(outcome=Outcome.REJECTED, reason="invalid_request")

    def reach(self) -> Reach:
        return self._client.reach()

    def close(self) -> None:
        self._client.close()
