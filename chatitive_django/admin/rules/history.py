"""What became of a rule, in words: its sentence before and after, then what that leaves out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from ...models import EventRule, RulePayload
from ...sentences import value_phrase
from .values import shown_json

SENTENCE = ""
LEFT_OUT = (
    "name",
    "channel",
    "allow_new",
    "subscribe_new",
    "once",
    "cooldown",
    "expires_after",
    "ordered",
    "on_ambiguous",
)
"""The columns of which the sentence doesn't tell."""


def told(rule: EventRule) -> dict[str, str]:
    """All that a stored rule says, in words: the sentence, its other columns, its payload."""
    fields = {field.name: field for field in rule._meta.concrete_fields}
    return {
        SENTENCE: rule.sentence(),
        **{
            capfirst(str(fields[name].verbose_name)): value_phrase(
                getattr(rule, name), fields[name]
            )
            for name in LEFT_OUT
        },
        **{capfirst(str(row)): _source(row) for row in rule.payload.all()},
    }


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """What two tellings differ in, a sentence each; empty where they are the same."""
    return " ".join(_changes(before, after))


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for label in {**before, **after}:
        values = {"label": label, "before": before.get(label), "after": after.get(label)}
        if values["before"] == values["after"]:
            continue
        if label == SENTENCE:
            yield _("“%(before)s” became “%(after)s”") % values
        elif values["before"] is None:
            yield _("%(label)s was added: “%(after)s”.") % values
        elif values["after"] is None:
            yield _("%(label)s was taken out: “%(before)s”.") % values
        else:
            yield _("%(label)s: “%(before)s” became “%(after)s”.") % values


def _source(row: RulePayload) -> str:
    if not row.path:
        return shown_json(row.constant)
    fallback = shown_json(row.fallback)
    if not fallback:
        return row.path
    return _("%(path)s, or else %(fallback)s") % {"path": row.path, "fallback": fallback}
