"""Reads an answer as HTTP/1 frames it (RFC 9112): its status, and the beginning of its body.

`http.client` does so too, but has the head parsed as if it were an e-mail, which took two fifths of
a call's CPU time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import BadStatusLine, HTTPException, LineTooLong, RemoteDisconnected
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator

BODY_LIMIT: Final = 16 * 1024
"""Bytes of an answer's body that are read at most."""
LONGEST_RETRY_AFTER: Final = 24 * 60 * 60.0
"""Seconds beyond which a server's wish isn't heeded."""

_LINE_LIMIT: Final = 64 * 1024
_FIELDS_LIMIT: Final = 100
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.(\d)\s+([1-9]\d\d)(?!\S)")
_SWITCHING_PROTOCOLS: Final = 101
_WITHOUT_BODY: Final = frozenset({204, 304})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server said; `whole` tells whether `body`, its beginning, is all of it."""

    status: int
    retry_after: float | None
    body: bytes = field(repr=False)
    whole: bool


class Incoming:
    """An answer whose head was read, and whose body is still to come.

    Raises `HTTPException` for what is no answer of HTTP/1, and whatever the stream raises. A head
    that breaks off after its status is taken for the end of it.
    """

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self.status = 0
        # Interim answers are followed by the final one (RFC 9110, section 15.2).
        while self.status < 200 and self.status != _SWITCHING_PROTOCOLS:
            minor, self.status = self._read_status()
            self._fields = self._read_fields()
        closes = minor == b"0" or "close" in self._fields.get("connection", "").lower()
        self.closes = closes or self.status == _SWITCHING_PROTOCOLS

    def finish(self) -> Answer:
        """The answer with as much of its body as came; never raises."""
        beginning, whole = self._read_body()
        coding = self._fields.get("content-encoding", "identity")
        wish = self._fields.get("retry-after")
        return Answer(
            status=self.status,
            retry_after=_seconds(wish) if wish else None,
            body=beginning if coding == "identity" else b"",
            whole=whole,
        )

    def _read_line(self) -> bytes:
        line = self._stream.readline(_LINE_LIMIT + 1)
        if len(line) > _LINE_LIMIT:
            raise LineTooLong("line")
        return line

    def _read_status(self) -> tuple[bytes, int]:
        line = self._read_line()
        if not line:
            raise RemoteDisconnected("")
        if (told := _STATUS_LINE.match(line)) is None:
            raise BadStatusLine("")
        return told[1], int(told[2])

    def _read_fields(self) -> dict[str, str]:
        """The fields by lower-case name, the first of each."""
        fields: dict[str, str] = {}
        for _ in range(_FIELDS_LIMIT + 1):
            line = self._read_line()
            if not line.strip():
                return fields
            name, _, value = line.decode("latin-1").partition(":")
            fields.setdefault(name.lower(), value.strip())
        raise HTTPException("too many fields")

    def _read_body(self) -> tuple[bytes, bool]:
        """The beginning of the body, and whether that was all of it."""
        beginning = b""
        try:
            for size in self._sizes():
                left = size
                while left:
                    room = min(left, BODY_LIMIT - len(beginning))
                    piece = self._stream.read1(room) if room else b""
                    if not piece:
                        return beginning, False
                    beginning += piece
                    left -= len(piece)
        except (OSError, HTTPException, ValueError):
            return beginning, False
        return beginning, True

    def _sizes(self) -> Iterator[int]:
        """The lengths of the body's pieces, each asked for when the one before was read."""
        if self.status < 200 or self.status in _WITHOUT_BODY:
            return
        if self._fields.get("transfer-encoding", "").lower() == "chunked":
            while size := _natural(self._read_line().partition(b";")[0], 16):
                yield size
                if self._stream.read(2) != b"\r\n":
                    raise HTTPException("a chunk without an end")
            while self._read_line().strip():
                pass
        elif "content-length" in self._fields:
            yield _natural(self._fields["content-length"], 10)
        else:
            # It ends with the connection, by which nobody knows whether it was all.
            yield BODY_LIMIT + 1


def _natural(digits: str | bytes, base: int) -> int:
    number = int(digits, base)
    if number < 0:
        raise ValueError
    return number


def _seconds(text: str) -> float | None:
    """`Retry-After`, seconds or a date (RFC 9110, section 10.2.3), in seconds: a day at most."""
    if text.isascii() and text.isdecimal():
        return min(float(text), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), LONGEST_RETRY_AFTER)
