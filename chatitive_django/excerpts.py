"""The beginning of an answer's body, and other texts, as they may be shown to people."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

EXCERPT_LENGTH: Final = 500
_SOURCE: Final = 4096

# Between two digits may stand dashes of any kind and marks that say in which direction to read.
_PHONE_NUMBER: Final = re.compile(
    r"\+?\(?\d(?:[\s().+/\-\u200b-\u2015\u202a-\u202e\u2066-\u2069\u2212]{0,3}\d){6,}"
)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d(?: \d\d)?")
_DIGITS: Final = re.compile(r"\+?\(?\d(?:\D{0,3}\d)*")
_MASK: Final = "…"


class Excerpts:
    """Cuts bodies short and keeps control characters, secrets and phone numbers out of them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._spellings = _spellings(*secrets)

    def of(
        self, body: bytes, *, whole: bool, phone_number: str | None, subscriber_sid: str | None
    ) -> str:
        """The excerpt of a body that answers a call for that subscriber; `whole` unless broken off.

        Where a body breaks off, half a secret may stand: that is masked too.
        """
        if not body:
            return ""
        text = _printable(body[:_SOURCE].decode(errors="replace"))
        subscriber = phone_number or subscriber_sid or ""
        spellings = sorted(self._spellings | _spellings(subscriber), key=len, reverse=True)
        for spelling in spellings:
            text = text.replace(spelling, _MASK)
        if not whole or len(body) > _SOURCE:
            ends = (s[:n] for s in spellings for n in range(1, len(s)) if text.endswith(s[:n]))
            if half := max(ends, key=len, default=""):
                text = text.removesuffix(half) + _MASK
        if own := re.sub(r"\D", "", phone_number or "")[-10:]:
            text = _DIGITS.sub(
                lambda run: _MASK if own in re.sub(r"\D", "", run[0]) else run[0], text
            )
        text = _PHONE_NUMBER.sub(_MASK, text)
        return " ".join(text.split())[:EXCERPT_LENGTH]


def with_numbers_masked(text: str, *, but: str = "") -> str:
    """A text in which phone numbers show their last four characters; dates and `but` stay."""

    def masked(run: re.Match[str]) -> str:
        is_none = run[0] == but or _DATE.fullmatch(run[0])
        return run[0] if is_none else f"{_MASK}{run[0][-4:]}"

    return _PHONE_NUMBER.sub(masked, text)


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else " " if character.isspace() else ""
        for character in text
    )


def _spellings(*secrets: str) -> frozenset[str]:
    """How a server may echo secrets: as they are, in a URL, in JSON, in HTML."""
    return frozenset(spelling for secret in secrets for spelling in _spelt(secret))


def _spelt(secret: str) -> Iterator[str]:
    in_url = quote(secret, safe="", errors="replace")
    in_json = json.dumps(secret)[1:-1]
    yield from (secret, in_url, in_json, html.escape(secret))
    yield re.sub("%..", lambda code: code[0].lower(), in_url)
    yield in_json.replace("/", r"\/")
    for digits in ("04x", "04X"):
        yield "".join(c if c.isalnum() else f"\\u{ord(c):{digits}}" for c in secret)
