"""SIDs: 22 characters of unpadded base64url, 16 bytes, with or without a prefix."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable


class Identified(Protocol):
    """Anything that has a SID."""

    sid: str


T = TypeVar("T", bound=Identified)


def new_sid() -> str:
    """A SID that nothing has yet."""
    return secrets.token_urlsafe(16)


def spellings(sid: str, prefix: str = "") -> list[str]:
    """The SIDs that `sid` may stand for: one page of the vendor's writes `ch_` or `sub_` first.

    A SID that can't be one, because it holds control characters, stands for none: PostgreSQL
    would not even look for it.
    """
    return list({sid, sid.removeprefix(prefix)}) if sid.isprintable() else []


def exact(rows: Iterable[T], sids: list[str]) -> T | None:
    """The row that has one of `sids` letter for letter, which MySQL's collations don't compare."""
    return next((row for row in rows if row.sid in sids), None)
