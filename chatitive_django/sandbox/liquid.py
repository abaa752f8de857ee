"""Messages are Liquid templates; python-liquid renders them, within limits.

It is imported when the first template is met: that takes 0.3 seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from chatitive_django.exceptions import ChatitiveError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from liquid import BoundTemplate, Environment

LONGEST_TEMPLATE = 4_000
"""Characters of a template."""

LONGEST_TEXT = 6_400
"""Bytes of a text: 1,600 characters, the most that carriers take, of four bytes each."""

# What python-liquid lets through beside its own errors, found by feeding it nonsense.
_ESCAPING = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


class LiquidMissing(ChatitiveError, ImportError):
    """python-liquid, which renders the messages, isn't installed."""


class BrokenTemplate(ChatitiveError, ValueError):
    """A template that can't be read or rendered; the text says why."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text, and the names in its template that had no value."""

    text: str
    missing: tuple[str, ...] = ()


def render(template: str, values: Mapping[str, object]) -> Rendered:
    """Render `template` with `values`, in which an undefined name is empty.

    Raises `BrokenTemplate` for whatever is wrong with it, its size too.
    """
    parsed = parse(template)
    from liquid.exceptions import LiquidError

    try:
        text = parsed.render(dict(values))
        missing = _missing(parsed, values)
    except (LiquidError, *_ESCAPING) as error:
        raise BrokenTemplate(_plainly(error)) from error
    # A filter can decode to NUL, which no phone shows and PostgreSQL does not store.
    return Rendered(text.replace("\x00", ""), missing)


def parse(template: str) -> BoundTemplate:
    """Read `template`, or raise `BrokenTemplate`."""
    environment = _environment()
    from liquid.exceptions import LiquidError

    if len(template) > LONGEST_TEMPLATE:
        raise BrokenTemplate(
            f"it has {len(template)} characters, and at most {LONGEST_TEMPLATE} are allowed"
        )
    try:
        return environment.from_string(template)
    except (LiquidError, *_ESCAPING) as error:
        raise BrokenTemplate(_plainly(error)) from error


def _missing(template: BoundTemplate, values: Mapping[str, object]) -> tuple[str, ...]:
    """The names that `template` expects from outside and that `values` has nothing for."""
    from liquid import RenderContext

    context = RenderContext(template, globals=values)
    names = {
        str(variable): None
        for variables in template.analyze().globals.values()
        for variable in variables
        # `a[b]` is another name for each value of `b`, which is itself in the list.
        if not any(isinstance(segment, list) for segment in variable.segments)
        and context.get(list(variable.segments), token=None, default=None) is None
    }
    return tuple(names)


def _plainly(error: Exception) -> str:
    """One line: what is wrong, and in which line of the template where that is known."""
    message = str(error.args[0]) if error.args else type(error).__name__
    token = getattr(error, "token", None)
    if token is None or token.start_index < 0:
        return message
    line = token.source.count("\n", 0, token.start_index) + 1
    return f"{message} (line {line})"


@cache
def _environment() -> Environment:
    """Liquid without a loader and with the limits that are off by default."""
    try:
        # liquidpy has the same import name, and no RenderContext.
        from liquid import Environment, RenderContext  # noqa: F401
    except ImportError as error:
        raise LiquidMissing(
            "The sandbox renders messages with python-liquid, which isn't installed. "
            "Install it with: pip install 'chatitive-django[sandbox]'"
        ) from error

    class Limited(Environment):
        loop_iteration_limit = 1_000
        local_namespace_limit = 20_000
        output_stream_limit = LONGEST_TEXT

    return Limited()
