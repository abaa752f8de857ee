"""Values as people type and read them, and as rules keep them: JSON."""

from __future__ import annotations

import json
from typing import Any

from django.db import models

from ...payloads import parsed, plain
from ...registry import AnyField, held_value

_YES = frozenset({"yes", "true", "t", "1", "on"})
_NO = frozenset({"no", "false", "f", "0", "off"})


def typed(text: str, field: AnyField | None) -> Any:
    """What a text stands for where a field is known: its choice by label or value, yes and no.

    Without a field it is a number, yes or no where it reads as one in JSON, else the text itself.
    """
    text = text.strip()
    if field is None:
        return _literal(text)
    for choice, label in field.flatchoices:
        if choice is not None and text.casefold() in {
            str(choice).casefold(),
            str(label).casefold(),
        }:
            return plain(choice, "")
    if isinstance(field, models.BooleanField) and text.casefold() in _YES | _NO:
        return text.casefold() in _YES
    if isinstance(field, models.JSONField):
        return _literal(text)
    held = held_value(field, text)
    return held if isinstance(held, int) else text


def typed_list(text: str, field: AnyField | None) -> list[Any]:
    """Several values with commas between them, or a JSON list where one holds a comma itself."""
    if text.lstrip().startswith("["):
        try:
            found = parsed(text)
        except ValueError:
            found = None
        if isinstance(found, list):
            return found
    return [typed(each, field) for each in text.split(",") if each.strip()]


def shown(value: Any, field: AnyField | None) -> str:
    """A value so that it is read as the same one again."""
    if isinstance(value, bool) and isinstance(field, models.BooleanField):
        return "yes" if value else "no"
    if isinstance(value, str) and typed(value, field) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def shown_list(values: list[Any], field: AnyField | None) -> str:
    """Several values so that they are read as the same ones again."""
    text = ", ".join(shown(each, field) for each in values)
    return text if typed_list(text, field) == values else json.dumps(values, ensure_ascii=False)


def shown_json(value: Any) -> str:
    """JSON so that `any_json` reads it again."""
    if isinstance(value, str) and any_json(value) == value:
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def any_json(text: str) -> Any:
    """A text as the JSON that it is, else as itself; nothing where it is empty."""
    text = text.strip()
    if not text:
        return None
    try:
        return parsed(text)
    except ValueError:
        return text


def _literal(text: str) -> Any:
    try:
        found = parsed(text)
    except ValueError:
        return text
    return text if isinstance(found, (list, dict)) else found
