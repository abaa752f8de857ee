"""How the sandbox's pages write numbers, explanations and bodies."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from django import template
from django.utils.html import format_html, format_html_join

from chatitive_django.sandbox.assumptions import Assumption

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def phone(number: str) -> str:
    """A North American number as people write it: `(206) 555-0101`; any other as it is."""
    parts = re.fullmatch(r"\+1(\d{3})(\d{3})(\d{4})", number)
    return "({}) {}-{}".format(*parts.groups()) if parts else number


@register.filter
def code(sentence: str) -> SafeString:
    """An explanation, escaped, with what stands between backticks as `<code>`."""
    parts = sentence.split("`")
    return format_html_join(
        "",
        "{}",
        (
            (format_html("<code>{}</code>", part) if position % 2 else part,)
            for position, part in enumerate(parts)
        ),
    )


@register.filter
def meaning(assumption: str) -> str:
    """The sentence of an assumption, or its name where a later version knows it no more."""
    names: dict[str, str] = dict(Assumption.choices)
    return names.get(assumption, assumption)


@register.filter
def pretty(body: str) -> str:
    """JSON with its lines broken; anything else as it came."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body
