"""Who a notification is for: how phone numbers and SIDs are compared."""

from __future__ import annotations

import re
import unicodedata

from .conf import settings

_ALIKE = {"/": "-", "−": "-", "＋": "+"}
_NORTH_AMERICA = frozenset({"US", "CA", "PR", "DO", "JM", "BS", "BB", "TT", "GU", "VI"})


def normalise(number: str) -> str:
    """The form of a phone number in which two spellings of it are equal.

    For comparing only: what is sent is what the model holds. North American digits become
    `+1XXXXXXXXXX`, and a leading plus stays. Of the others, with the `phone` extra, a number that
    libphonenumber calls possible becomes E.164; anything else stays as typed.
    """
    plain = _plain(number)
    return _north_american(plain) or _international(plain) or number.strip()


def _plain(number: str) -> str:
    """A number in ASCII as far as it goes, without the "tel:" of a link.

    What is pasted may hold dashes, digits and blanks of other scripts, and marks that don't show.
    """
    text = "".join(map(_in_ascii, number)).strip()
    return re.sub(r"^tel:", "", text, flags=re.IGNORECASE).strip()


def _in_ascii(sign: str) -> str:
    match unicodedata.category(sign):
        case "Cf":
            return ""
        case "Pd":
            return "-"
    return _ALIKE.get(sign) or str(unicodedata.decimal(sign, sign))


def _international(typed: str) -> str | None:
    try:
        import phonenumbers
    except ImportError:
        return None
    try:
        parsed = phonenumbers.parse(typed, settings.PHONE_REGION)
    except phonenumbers.NumberParseException:
        return None
    verdict = phonenumbers.is_possible_number_with_reason(parsed)
    if verdict != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _north_american(typed: str) -> str | None:
    if re.search(r"[^\d\s()+.\-]", typed):
        return None
    digits = re.sub(r"\D", "", typed)
    if typed.startswith("+"):
        return f"+{digits}"
    if settings.PHONE_REGION not in _NORTH_AMERICA:
        return None
    if len(digits) == 11 and digits.startswith("1"):
        return f"+{digits}"
    return f"+1{digits}" if len(digits) == 10 else None


def subscriber_key(*, phone_number: str | None, subscriber_sid: str | None) -> str:
    """The subscriber in one comparable word; a person's phone and sid are two subscribers."""
    if subscriber_sid:
        return f"sid:{subscriber_sid}"
    return normalise(phone_number or "")


def mask(identifier: str) -> str:
    """A phone number or SID with all but its last four characters hidden."""
    return f"…{identifier[-4:]}" if len(identifier) > 6 else "…" * bool(identifier)
