"""A notify call as a command for a shell, for developers who want to see the answer themselves."""

from __future__ import annotations

import shlex
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from .backends import Message
from .client import request_body
from .exceptions import InvalidRequest

_SCHEMES: Final = {"chatitive": "https", "chatitive+http": "http"}


def command(url: str, message: Message) -> str:
    """The call by a channel's URL, without its SID and token: the shell's variables hold them.

    Empty for a URL that leads to no API, and for a message that can't be sent.
    """
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        return ""
    *prefix, channel_sid = [unquote(part) for part in parts.path.split("/") if part] or [""]
    segments = [*prefix, "v2", "account", "channels", channel_sid]
    segments += ["subscribers", "events", "notify"]
    path = "/".join(quote(segment, safe="") for segment in segments)
    host = parts.netloc.rpartition("@")[2]
    try:
        body = request_body(
            message.event_name,
            message.phone_number,
            message.subscriber_sid,
            message.payload,
            message.allow_new,
            message.subscribe_new,
        )
    except InvalidRequest:
        return ""
    return " \\\n  ".join(
        [
            f"curl --globoff {shlex.quote(f'{_SCHEMES[parts.scheme]}://{host}/{path}')}",
            '--user "$CHATITIVE_SID:$CHATITIVE_TOKEN"',
            "--header 'Content-Type: application/json'",
            f"--header {shlex.quote(f'Idempotency-Key: {message.idempotency_key}')}",
            f"--data-raw {shlex.quote(body.decode())}",
        ]
    )
