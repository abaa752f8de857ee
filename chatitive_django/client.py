"""The Python client for Chatitive's notify call; it needs no Django.

    from chatitive_django.client import Client

    with Client.from_url("chatitive://SID:TOKEN@api.essential.to/CHANNEL_SID") as client:
        result = client.notify("RequestSupportFeedback", phone_number="555-555-5555")

A call that could be made never raises: its `Result` says what became of it, told from two facts:
was a byte of the request written, and was a status read.
"""

from __future__ import annotations

import base64
import difflib
import functools
import importlib.metadata
import ipaddress
import json
import math
import re
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, urlsplit

from .exceptions import InvalidRequest, InvalidURL
from .excerpts import Excerpts
from .outcomes import Outcome, Reach, Result
from .transport import (
    CERTIFICATE_UNTRUSTED,
    CONFIGURATION,
    NoAnswer,
    Proxy,
    Route,
    Transport,
    tls_context,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self
    from urllib.parse import SplitResult

BASE_URL: Final = "https://api.essential.to"
LONG_ENOUGH_TO_SHOW_ITS_END: Final = 16
SHAPE: Final = "chatitive://SID:TOKEN@api.essential.to/CHANNEL_SID"

_SCHEMES: Final = {"chatitive": "https", "chatitive+http": "http"}
_PORTS: Final = {"https": 443, "http": 80}
_OPTIONS: Final = ("proxy", "ca_bundle")

# What a repeated call may mend by itself: the API says that it did nothing, or (500) that it broke.
_TURNED_AWAY: Final = frozenset({408, 425, 429, 500, 503})

_HOST: Final = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")


class Client:
    """Notifies the subscribers of one channel.

    Threads may share a client and it survives a fork: each thread of each process keeps a
    connection of its own. Environment variables, netrc files and cookies play no part, redirects
    are not followed and nothing is retried.

    `connect_timeout` and `call_timeout` are seconds: to reach the server (a tunnel and the TLS
    handshake included), and for the whole call, however slowly its answer drips. `proxy` is
    `http://[user:password@]host:port`; `ca_bundle` a file or directory of PEM certificates to trust
    instead of the usual ones. `base_url` is `https`, or `http` on this machine only. `host` is
    where calls go, and `token_end` the end of the token, for people to tell one from another; it is
    empty where the token is so short that its end would give it away.

    Raises `InvalidURL` for settings with which no call could be made.
    """

    def __init__(
        self,
        *,
        account_sid: str,
        token: str,
        channel_sid: str,
        base_url: str = BASE_URL,
        connect_timeout: float = 5.0,
        call_timeout: float = 30.0,
        proxy: str | None = None,
        ca_bundle: str | None = None,
    ) -> None:
        for name, value in (("SID", account_sid), ("TOKEN", token), ("CHANNEL_SID", channel_sid)):
            if not _is_plain(value):
                raise _refusal(f"The {name} is empty or holds a character beyond printable ASCII")
        if ":" in account_sid:
            raise _refusal("The SID holds a colon, at which basic authentication would cut it off")
        if channel_sid in {".", ".."}:
            raise _refusal("The CHANNEL_SID is a dot, which names no channel")
        if not (connect_timeout > 0 and call_timeout > 0):
            raise ValueError("connect_timeout and call_timeout must be more than 0 seconds.")

        base = _split(base_url)
        if base is None or base.scheme not in _PORTS or "@" in base.netloc or base.query:
            raise _refusal(f"The base URL can't be read; the usual one is {BASE_URL}")
        self.host = str(base.hostname)
        if base.scheme == "http" and not _is_loopback(self.host):
            raise _refusal("Without TLS the token would travel in clear: http is for loopback only")
        self._channel_sid = channel_sid
        self.token_end = token[-4:] if len(token) >= LONG_ENOUGH_TO_SHOW_ITS_END else ""
        prefix = [unquote(segment) for segment in base.path.split("/") if segment]
        segments = [*prefix, "v2", "account", "channels", channel_sid]
        segments += ["subscribers", "events", "notify"]
        credentials = _basic(account_sid, token)
        self._head = "\r\n".join(
            [
                f"POST /{'/'.join(quote(segment, safe='') for segment in segments)} HTTP/1.1",
                f"Host: {base.netloc}",
                "Accept: application/json",
                "Accept-Encoding: identity",
                f"Authorization: Basic {credentials}",
                "Content-Type: application/json",
                f"User-Agent: {_user_agent()}",
            ]
        )
        self._excerpts = Excerpts([credentials, token, account_sid])
        self._transport = Transport(
            Route(
                host=self.host,
                port=base.port or _PORTS[base.scheme],
                tls=tls_context(ca_bundle) if base.scheme == "https" else None,
                proxy=_proxy(proxy) if proxy is not None else None,
            ),
            connect_timeout=connect_timeout,
            call_timeout=call_timeout,
        )

    @classmethod
    def from_url(
        cls, url: str, *, connect_timeout: float = 5.0, call_timeout: float = 30.0
    ) -> Client:
        """The client of `chatitive://SID:TOKEN@api.essential.to/CHANNEL_SID`.

        SID, TOKEN and CHANNEL_SID are percent-encoded. `chatitive+http://` does without TLS, on
        this machine only. Segments before the last go in front of the API's path, for a stand-in
        that is not mounted at the root. The query may hold `proxy` and `ca_bundle`.

        Raises `InvalidURL`, whose text never holds the URL or a part of it.
        """
        parts = _split(url)
        if parts is None or parts.scheme not in _SCHEMES:
            raise _refusal(
                "The URL can't be read, or its scheme isn't chatitive (or chatitive+http)"
            )
        if not parts.username or not parts.password:
            raise _refusal("The URL has no SID:TOKEN@ before its host")
        *prefix, channel_sid = parts.path.split("/")
        if not channel_sid:
            raise _refusal("The URL doesn't end in /CHANNEL_SID")
        if "channels" in prefix:
            raise _refusal("The CHANNEL_SID stands alone; the path of the call is added to it")
        return cls(
            account_sid=unquote(parts.username),
            token=unquote(parts.password),
            channel_sid=unquote(channel_sid),
            base_url=f"{_SCHEMES[parts.scheme]}://{parts.netloc.rpartition('@')[2]}{'/'.join(prefix)}",
            connect_timeout=connect_timeout,
            call_timeout=call_timeout,
            **_options(parts.query),
        )

    def notify(
        self,
        event_name: str,
        *,
        phone_number: str | None = None,
        subscriber_sid: str | None = None,
        payload: Mapping[str, Any] | None = None,
        allow_new: bool = False,
        subscribe_new: bool = False,
        idempotency_key: str | None = None,
        start_by: float = math.inf,
    ) -> Result:
        """Tell the channel's workflows of a subscriber's event, and return what became of the call.

        Give exactly one of `phone_number`, sent as it stands, and `subscriber_sid`. `payload` is a
        dict that is JSON. `allow_new` adds a subscriber whom the channel doesn't know, unconfirmed;
        with `subscribe_new` as subscribed, which is right only where the person has consented.
        `idempotency_key` is sent as a header of that name; that the API heeds it isn't documented.
        `start_by` is a time of `time.monotonic()` after which no byte of a request is written any
        more: a call that is held up until then did not arrive, for the reason `overslept`.

        Raises `InvalidRequest`, before anything is sent, for arguments that can't be. Nothing else.

        The call: POST {base}/v2/account/channels/{channel_sid}/subscribers/events/notify.
        """
        body = request_body(
            event_name, phone_number, subscriber_sid, payload, allow_new, subscribe_new
        )
        head = f"{self._head}\r\nContent-Length: {len(body)}"
        if idempotency_key is not None:
            if not _is_plain(idempotency_key):
                raise InvalidRequest("idempotency_key must be printable ASCII, such as a UUID.")
            head += f"\r\nIdempotency-Key: {idempotency_key}"
        started = time.monotonic()
        try:
            answer = self._transport.post(f"{head}\r\n\r\n".encode() + body, start_by=start_by)
        except NoAnswer as end:
            return Result(
                outcome=_outcome_without_answer(end),
                reason=end.reason,
                error_class=end.error_class,
                duration=time.monotonic() - started,
            )
        outcome = _outcome_of(answer.status)
        return Result(
            outcome=outcome,
            reason="" if outcome is Outcome.ACCEPTED else f"http_{answer.status}",
            http_status=answer.status,
            retry_after=answer.retry_after,
            excerpt=self._excerpts.of(
                answer.body,
                whole=answer.whole,
                phone_number=phone_number,
                subscriber_sid=subscriber_sid,
            ),
            duration=time.monotonic() - started,
        )

    def reach(self) -> Reach:
        """Tell whether the API can be connected to, TLS included, without sending it anything."""
        started = time.monotonic()
        try:
            self._transport.reach()
        except NoAnswer as end:
            reason, error_class = end.reason, end.error_class
        else:
            reason = error_class = ""
        duration = time.monotonic() - started
        return Reach(reason=reason, error_class=error_class, duration=duration)

    def close(self) -> None:
        """Close the idle connections of all threads; a later call opens new ones."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client host={self.host!r} channel_sid={self._channel_sid!r}>"


def _refusal(problem: str) -> InvalidURL:
    """An error that says what is wrong and shows the shape, and quotes nothing it was given."""
    return InvalidURL(
        f"{problem}. The shape is {SHAPE}, with / ? # @ : and % percent-encoded in SID and TOKEN."
    )


def _is_plain(text: str) -> bool:
    """Whether a header can carry the text: printable ASCII, no space around it."""
    return bool(text) and text.isascii() and text.isprintable() and text == text.strip()


def _split(url: str) -> SplitResult | None:
    """The URL's parts, or None when it can't be read: an exception from here would quote it."""
    # urlsplit drops control characters without a word.
    if not _is_plain(url) or " " in url:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if ":" in host:
            ipaddress.IPv6Address(host)
        elif not _HOST.fullmatch(host):
            return None
    except ValueError:
        return None
    return None if port == 0 or "#" in url else parts


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _options(query: str) -> dict[str, str]:
    """The channel URL's options; an unknown key isn't quoted, it may be a piece of a token."""
    options: dict[str, str] = {}
    for item in query.split("&") if query else ():
        key, _, value = item.partition("=")
        if key not in _OPTIONS:
            near = difflib.get_close_matches(key, _OPTIONS, n=1)
            hint = f' Did you mean "{near[0]}"?' if near else ""
            raise InvalidURL(
                f"The URL's query holds an option that is none of {', '.join(_OPTIONS)}.{hint}"
            )
        if not value or key in options:
            raise InvalidURL(f'The URL\'s option "{key}" is empty or given twice.')
        options[key] = unquote(value)
    return options


def _proxy(url: str) -> Proxy:
    parts = _split(url)
    if parts is None or parts.scheme != "http" or parts.path not in {"", "/"} or parts.query:
        raise InvalidURL(
            "The proxy can't be read: write http://[USER:PASSWORD@]HOST:PORT, percent-encoded in "
            "a channel's URL. TLS to the proxy itself is not supported."
        )
    headers = {"User-Agent": _user_agent()}
    if "@" in parts.netloc:
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if not _is_plain(user) or ":" in user or (password and not _is_plain(password)):
            raise InvalidURL("The proxy's user and password must be printable ASCII.")
        headers["Proxy-Authorization"] = f"Basic {_basic(user, password)}"
    return Proxy(host=str(parts.hostname), port=parts.port or _PORTS["http"], headers=headers)


def _basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


@functools.cache
def _user_agent() -> str:
    try:
        version = importlib.metadata.version("chatitive-django")
    except importlib.metadata.PackageNotFoundError:
        version = "0"
    return f"chatitive-django/{version}"


def request_body(
    event_name: str,
    phone_number: str | None,
    subscriber_sid: str | None,
    payload: Mapping[str, Any] | None,
    allow_new: bool,
    subscribe_new: bool,
) -> bytes:
    """The request's body, its keys in the order of the vendor's sample."""
    if not _is_text(event_name):
        raise InvalidRequest("event_name is empty: give what the workflow's start condition names.")
    if (phone_number is None) == (subscriber_sid is None):
        raise InvalidRequest("Give exactly one of phone_number and subscriber_sid.")
    key = "phone_number" if subscriber_sid is None else "subscriber_sid"
    subscriber = phone_number if subscriber_sid is None else subscriber_sid
    if not _is_text(subscriber):
        raise InvalidRequest(f"{key} is empty or not a string.")
    if subscribe_new and not allow_new:
        raise InvalidRequest("subscribe_new says how to add a subscriber: it needs allow_new too.")
    if payload is not None and not isinstance(payload, dict):
        raise InvalidRequest(f"payload is a {type(payload).__name__}: it must be a dict.")
    try:
        return json.dumps(
            {
                "event_name": event_name,
                key: subscriber,
                "allow_new": allow_new,
                "subscribe_new": subscribe_new,
                "payload": payload or {},
            },
            allow_nan=False,
        ).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"payload is not JSON: {error}.") from None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _outcome_of(status: int) -> Outcome:
    """What a status means for the message; the vendor documents none but 202."""
    if 200 <= status < 300:
        return Outcome.ACCEPTED
    if status in _TURNED_AWAY:
        return Outcome.TURNED_AWAY
    if 300 <= status < 400 or status in {401, 403}:
        return Outcome.CONFIGURATION
    if status == 407:  # only a proxy says so, and passes nothing on
        return Outcome.NOT_ARRIVED
    return Outcome.REJECTED if 400 <= status < 500 else Outcome.MAY_HAVE_ARRIVED


def _outcome_without_answer(end: NoAnswer) -> Outcome:
    if end.written:
        return Outcome.MAY_HAVE_ARRIVED
    if end.reason in {CONFIGURATION, CERTIFICATE_UNTRUSTED}:
        return Outcome.CONFIGURATION
    return Outcome.NOT_ARRIVED
