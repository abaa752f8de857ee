"""What a record has become without a notification that accounts for it, and how that may be.

The log knows the writes that were captured and asked for. A bulk update, raw SQL and `muted()`
leave no trace, so that one of them was at work can only be concluded: from what the record holds
now, what the log saw it become last, and what is declared today.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .capture.record import as_logged
from .conf import Settings, settings
from .events import ANY, FOUND, OFF, Created, Deleted, Kind, Trigger, differs
from .models import EventRule, Notification
from .registry import AnyModel, Declared, Watched, field_named
from .sentences import field_phrase, value_phrase, values_phrase

Status = Notification.Status

Shown = Callable[[str], str]
"""A value as the reader may see it."""

OWN_ORIGINS = frozenset({Notification.Origin.AUTOMATIC, Notification.Origin.BACKFILL})
"""The rows that tell of a change themselves; a resend repeats what another row told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A state of a record for which no notification of an event accounts."""

    text: str
    bypassed: bool = False
    """Whether the log and today's declarations leave no way but a write that isn't seen."""
    reasons: tuple[str, ...] = ()
    """How it may have come where it isn't known; where it is, what that rests on."""


class History:
    """What the log has of one record, its newest rows first, and the rules of its events."""

    def __init__(
        self,
        rows: Sequence[Notification],
        declared: Sequence[Declared],
        rules: Mapping[int | None, EventRule],
        *,
        is_whole: bool = True,
    ) -> None:
        """`is_whole` tells that older rows weren't left out."""
        self.rows = rows
        self.declared = declared
        self.rules = rules
        self.is_whole = is_whole

    def of(self, declared: Declared) -> list[Notification]:
        """The rows of one event, newest first."""
        return [
            row
            for row in self.rows
            if row.event_key == declared.key[:400] and row.origin in OWN_ORIGINS
        ]

    def created_at(self) -> datetime | None:
        """When the record was created, where the log has that."""
        created = (row for row in self.rows if row.why.get("transition") == Kind.CREATED.value)
        return next((row.created_at for row in created), None)

    def changes(self, declared: Declared, attname: str) -> list[Notification]:
        """The rows of any event that tell what a field became, newest first.

        What a backfill found accounts for its own rule only: it tells of no change.
        """
        owner = declared.owner
        return [
            row
            for row in self.rows
            if row.origin in OWN_ORIGINS
            and row.source_model == owner._meta.label_lower
            and _tells_of(row, owner, attname)
            and (row.why.get("transition") != FOUND or row.event_key == declared.key[:400])
        ]


def gaps(
    declared: Declared, instance: Model | None, history: History, shown: Shown
) -> Iterator[Gap]:
    """What an event in force might have recorded and did not; no instance is a deleted record."""
    if declared.event.mode == OFF or any(row.scrubbed_at for row in history.of(declared)):
        return
    kinds: dict[type[Trigger], tuple[Kind, str]] = {
        Created: (Kind.CREATED, _("It was created, and nothing was recorded for that.")),
        Deleted: (Kind.DELETED, _("It is gone, and nothing was recorded for that.")),
    }
    for trigger in declared.triggers:
        if history.is_whole and isinstance(trigger, Deleted if instance is None else Created):
            kind, text = kinds[type(trigger)]
            if not any(row.why.get("transition") == kind.value for row in history.of(declared)):
                yield Gap(text=text, reasons=tuple(_reasons(declared, history)))
    if instance is not None:
        for watched in declared.watched:
            gap = _Change(declared, watched, instance, history, shown).gap()
            if gap is not None:
                yield gap


class _Change:
    """One watched field of a record, as it is now and as the log saw it become."""

    def __init__(
        self,
        declared: Declared,
        watched: Watched,
        instance: Model,
        history: History,
        shown: Shown,
    ) -> None:
        self.declared = declared
        self.trigger = watched.trigger
        self.field = watched.field
        self.value = getattr(instance, watched.attname)
        self.now = as_logged(self.value)
        self.history = history
        self.shown = shown
        self.seen = history.changes(declared, watched.attname)
        self.told = {
            "field": field_phrase(declared.model, watched.trigger.field),
            "now": self._phrase(self.value),
        }

    def _phrase(self, value: Any) -> str:
        return self.shown(value_phrase(value, self.field))

    def gap(self) -> Gap | None:
        if not self.trigger.accepts_new(self.value):
            return None
        last = next(iter(self.seen), None)
        if last is None:
            # A field need never have changed, and what it was created with is no change.
            is_asked_for = self.history.is_whole and self.trigger.to is not ANY
            return self._nothing_seen() if is_asked_for else None
        if not self._is_now(last):
            return self._unseen_since(last)
        if any(
            row.event_key == self.declared.key[:400] for row in takewhile(self._is_now, self.seen)
        ):
            return None
        return self._seen_by_another(last)

    def _is_now(self, row: Notification) -> bool:
        """Whether a row tells that the field became what it holds now."""
        return not differs(row.why.get("new"), self.now)

    def _nothing_seen(self) -> Gap:
        reasons = []
        if not self.trigger.on_create:
            reasons.append(_("It was created so, and this event asks for a change."))
        text = _("The %(field)s is %(now)s, and nothing was recorded for that change.")
        return Gap(text=text % self.told, reasons=(*reasons, *self._reasons()))

    def _unseen_since(self, last: Notification) -> Gap:
        told = self.told | {
            "last": self._phrase(last.why.get("new")),
            "time": moment(last.created_at),
        }
        witness = next(filter(self._is_witness, self.history.declared), None)
        if witness is not None:
            text = _(
                "The %(field)s is %(now)s, but no save made it so: the last change that was "
                "recorded, on %(time)s, made it %(last)s. So it was changed since by a bulk "
                "update, by raw SQL, by loaddata or inside muted()."
            )
            unless = _("Unless %(event)s was off or declared otherwise at that time.")
            reasons = (unless % {"event": witness.event.name},)
            return Gap(text=text % told, bypassed=True, reasons=reasons)
        text = _(
            "The %(field)s is %(now)s, and nothing was recorded for that change: the last one that "
            "was, on %(time)s, made it %(last)s."
        )
        return Gap(text=text % told, reasons=tuple(self._reasons(since=last.created_at)))

    def _is_witness(self, declared: Declared) -> bool:
        """Whether an event would have recorded any captured change to what the field holds now.

        It has recorded this field before, and without a look at anything else; what has come since
        might only hide in a row of the same write that names another field.
        """
        event = declared.event
        if event.mode == OFF or event.condition is not None or event.conditions:
            return False
        if not any(
            watched.field == self.field
            and watched.trigger.from_ is ANY
            and watched.trigger.accepts_new(self.value)
            for watched in declared.watched
        ):
            return False
        newest = next(iter(self.history.of(declared)), None)
        if newest is None or newest not in self.seen:
            return False
        rule = self.history.rules.get(declared.rule_id)
        if rule is not None and rule.edited_at > newest.created_at:
            return False
        # What waits or is in doubt stays when newer rows are pruned.
        is_settled = newest.finished_at is not None and newest.status != Status.UNKNOWN
        return is_settled or not _may_be_pruned(newest.created_at)

    def _seen_by_another(self, last: Notification) -> Gap:
        told = self.told | {
            "event": last.event_name,
            "time": moment(last.created_at),
            "old": self._phrase(last.why.get("old")),
        }
        text = _("%(event)s recorded on %(time)s that the %(field)s became %(now)s; this did not.")
        rule = self.history.rules.get(self.declared.rule_id)
        asked = self.trigger.from_
        sure = ""
        if rule is not None and rule.created_at > last.created_at:
            sure = _("The rule was made only afterwards (%(time)s).") % {
                "time": moment(rule.created_at)
            }
        elif last.why.get("transition") == Kind.CREATED.value:
            if not self.trigger.on_create:
                sure = _("It was created so, and this event asks for a change.")
        elif asked is not ANY and all(differs(as_logged(v), last.why.get("old")) for v in asked):
            told["from"] = values_phrase(asked, self.field)
            sure = _("It came from %(old)s, and this event asks for %(from)s.") % told
        reasons = [sure] if sure else _reasons(self.declared, self.history, was_captured=True)
        return Gap(text=text % told, reasons=tuple(reasons))

    def _reasons(self, since: datetime | None = None) -> Iterator[str]:
        if self.trigger.from_ is not ANY:
            asked = values_phrase(self.trigger.from_, self.field)
            yield _("It came from another value than %(from)s.") % {"from": asked}
        yield from _reasons(self.declared, self.history, since=since)


def _reasons(
    declared: Declared,
    history: History,
    *,
    since: datetime | None = None,
    was_captured: bool = False,
) -> Iterator[str]:
    """Why an event may have recorded nothing for a change, made `since` then if that is known."""
    if declared.event.condition is not None or declared.event.conditions:
        yield _("A condition didn't hold at that moment.")
    if len(declared.triggers) > 1:
        yield _("The same save made another of the changes that it waits for, and is told by that.")
    rule = history.rules.get(declared.rule_id)
    if rule is not None:
        made, edited = moment(rule.created_at), moment(rule.edited_at)
        yield _("It was so before the rule was made (%(time)s).") % {"time": made}
        if edited != made:
            text = _("The rule was off or another one then: it was edited last on %(time)s.")
            yield text % {"time": edited}
    elif history.of(declared):
        yield _("The code had the event off then, or declared it otherwise.")
    else:
        yield _("It was so before the code declared the event, or while the code had it off.")
    if was_captured:
        return
    yield _("A bulk update, raw SQL, loaddata or a write inside muted() made it so: none is seen.")
    made_at = rule.created_at if rule is not None else None
    if all(map(_may_be_pruned, filter(None, (since, made_at, history.created_at())))):
        days = _retention().days
        yield ngettext(
            "Its notification was deleted: settled ones are kept for %(days)s day.",
            "Its notification was deleted: settled ones are kept for %(days)s days.",
            days,
        ) % {"days": days}


def _may_be_pruned(recorded_at: datetime) -> bool:
    """Whether rows that were recorded then or before are old enough to be deleted."""
    return recorded_at < timezone.now() - _retention()


def _tells_of(row: Notification, owner: AnyModel, attname: str) -> bool:
    name = row.why.get("field")
    told = (Kind.CHANGED.value, Kind.CREATED.value, FOUND)
    if row.why.get("transition") not in told or not name:
        return False
    field = field_named(owner, str(name))
    return field is not None and field.attname == attname


def _retention() -> timedelta:
    try:
        return settings.RETENTION
    except ImproperlyConfigured:  # a check tells
        return Settings.RETENTION.parse(Settings.RETENTION.default)


def moment(when: datetime) -> str:
    """A date and a time within a sentence."""
    local = timezone.localtime(when) if timezone.is_aware(when) else when
    return date_format(local, "DATETIME_FORMAT")
