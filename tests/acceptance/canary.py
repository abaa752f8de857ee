"""A token and a phone number that must turn up nowhere, and servers that echo them everywhere."""

from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from tests.fault_server import (
    Behaviour,
    Peer,
    close_after,
    corrupt_tls,
    reset_after,
    reset_at_once,
    stall_at_once,
)

SID, TOKEN = "SidCanary7/x", "tok/Canary+7<9&?"
PROXY_PASSWORD = "pass/Canary+proxy"
NUMBER = "(206) 555-0142"
LOGIN = f"{quote(SID, safe='')}:{quote(TOKEN, safe='')}"


def through_proxy(port: int) -> str:
    """The option of a channel's URL that names a proxy at this port."""
    url = f"http://user:{quote(PROXY_PASSWORD, safe='')}@localhost:{port}"
    return f"proxy={quote(url, safe='')}"


DIGITS = re.compile(r"\D{0,3}".join("2065550142"))
CREDENTIALS = base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
HALF = 8
"""So many characters of a secret are too many."""


def spellings(secret: str) -> set[str]:
    """The forms in which a server, a log or a page may write a secret."""
    raw = secret.encode()
    return {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        html.escape(secret),
        json.dumps(secret)[1:-1],
        secret.replace("/", r"\/"),
        repr(secret)[1:-1],
    } | {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode(), raw.hex()}


SECRETS = {
    form[:HALF]
    for secret in (TOKEN, CREDENTIALS, PROXY_PASSWORD, f"user:{PROXY_PASSWORD}")
    for form in spellings(secret)
}
NUMBERS = [
    NUMBER,
    "2065550142",
    "+12065550142",
    "206-555-0142",
    "206.555.0142",
    "+1 (206) 555-0142",
    "206\u2011555\u20110142",
    quote(NUMBER),
    quote("+12065550142"),
    quote_plus(NUMBER),
]


def secrets_in(text: str) -> set[str]:
    """What of the token and of its spellings stands in a text."""
    return {secret for secret in SECRETS if secret in text}


def canaries_in(text: str) -> set[str]:
    """What of the token or of the phone number stands in a text, in whatever spelling."""
    forms = [text, unquote(text), unquote_plus(text), html.unescape(text)]
    numbers = {found[0] for form in forms for found in DIGITS.finditer(form)}
    return secrets_in(text) | numbers


def told_by(request_body: bytes) -> str:
    """What an indiscreet server says: all it was sent, as headers and URLs and JSON write it."""
    known = [CREDENTIALS, *ECHOED, *NUMBERS, request_body.decode()]
    return " | ".join(known)


ECHOED = [
    TOKEN,
    quote(TOKEN, safe=""),
    html.escape(TOKEN),
    TOKEN.replace("/", r"\/"),
    f"{SID}:{TOKEN}",
]
"""The spellings of the token that an answer may hold; a server has no reason for others."""


def echo(status: str = "202", *lines: str, body: bytes | None = None) -> Behaviour:
    """Answer with what was sent in the body, the reason phrase and the headers.

    In `lines`, headers more, `{token}` and `{number}` are filled in.
    """

    def behave(peer: Peer) -> None:
        request = peer.read_request()
        said = told_by(request.body).encode() if body is None else body
        head = [
            f"HTTP/1.1 {status} {{token}} {{number}}",
            "X-Echo: Basic {credentials} {token} {number}",
            "Set-Cookie: token={token}; number={number}",
            'WWW-Authenticate: Basic realm="{credentials} {number}"',
            *(lines or [f"Content-Length: {len(said)}"]),
        ]
        for name, canary in (
            ("{token}", TOKEN),
            ("{number}", NUMBER),
            ("{credentials}", CREDENTIALS),
        ):
            head = [line.replace(name, canary) for line in head]
        peer.send("\r\n".join([*head, "", ""]).encode() + said)

    return behave


def then(first: Behaviour, second: Behaviour) -> Behaviour:
    def behave(peer: Peer) -> None:
        first(peer)
        second(peer)

    return behave


LONG = b"x" * 4090
IN_CLEAR: dict[str, Behaviour] = {
    **{f"http_{status}": echo(str(status)) for status in [202, 400, 401, 403, 404, 407, 408, 422]},
    **{f"http_{status}": echo(str(status)) for status in [425, 429, 500, 501, 502, 503, 504, 520]},
    "moved": echo("302", "Location: http://{token}@localhost/?to={number}", "Content-Length: 0"),
    "moved_on": echo("307", "Location: /{token}/{number}", "Content-Length: 0"),
    "odd_retry_after": echo("503", "Retry-After: {token} {number}", "Content-Length: 0"),
    "odd_length": echo("400", "Content-Length: {token}"),
    "odd_encoding": echo("400", "Content-Encoding: {token}"),
    "odd_transfer": echo("400", "Transfer-Encoding: {token}"),
    "odd_chunk": echo("400", "Transfer-Encoding: chunked", body=TOKEN.encode() + b"\r\n"),
    "odd_status": echo(TOKEN),
    "odd_header": echo("202", "{token}"),
    "many_headers": echo("202", *["X-Filler: {token} {number}"] * 101),
    "long_header": echo("202", "X-Filler: {token} {number}" + "x" * 70_000),
    "interim": then(echo("103"), stall_at_once),
    "half_a_token": echo("400", "Content-Length: 99", body=b"half " + TOKEN[:12].encode()),
    "half_credentials": echo("400", "Content-Length: 99", body=CREDENTIALS[:12].encode()),
    "token_at_a_cut": echo("400", body=LONG[:-4] + TOKEN.encode() * 9),
    "number_at_a_cut": echo("400", body=LONG + NUMBER.encode() * 9),
    "token_at_the_end": echo("400", body=LONG[:490] + TOKEN.encode()),
    "spread_token": echo("400", body=b"\x00".join(bytes([b]) for b in TOKEN.encode())),
    "stall_in_the_body": then(echo("202", "Content-Length: 99999"), stall_at_once),
    "reset_in_the_body": then(echo("202", "Content-Length: 99999"), Peer.reset),
    "stall": stall_at_once,
    "reset": reset_after(),
    "reset_at_once": reset_at_once,
    "reset_within": reset_after(20),
    "close": close_after(),
}
"""Servers that are asked without TLS."""
BENEATH_TLS: dict[str, Behaviour] = {
    "tls": echo("400"),
    "tls_reset": reset_after(),
    "tls_corrupt": corrupt_tls,
    "tls_corrupt_body": then(echo("202", "Content-Length: 99999"), corrupt_tls),
    "untrusted": echo("202"),
}
PROXIES: dict[str, Behaviour] = {
    "proxy_refuses": echo("407"),
    "proxy_moves": echo("302", "Location: http://{token}@localhost/", "Content-Length: 0"),
    "proxy_garbage": echo(TOKEN),
    "proxy_reset": reset_after(),
}
