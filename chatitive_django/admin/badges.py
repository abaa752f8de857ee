"""A status as a badge: icon and word, so that colour is never the only sign."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ..health import ChannelHealth
from ..models import Attempt, EventRule, Notification, ResendBatch
from ..outcomes import Outcome
from ..preview import Check, Verdict
from . import wording

Status = Notification.Status

# Strokes in a square of 16: drawn, for the glyphs of fonts differ from one machine to the next.
_CLOCK = "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 4.8V8l2.3 1.5"
_ARROW_ROUND = "M13.5 8a5.5 5.5 0 1 1-1.6-3.9M13.8 1.6v3h-3"
_ARROW = "M3.5 12.5l8.5-8.5M5.5 3.5h7v7"
_TICK = "M2.8 8.5l3.5 3.5 7-7.5"
_CROSS = "M3.8 3.8l8.4 8.4M12.2 3.8l-8.4 8.4"
_QUESTION = "M5.4 5.7a2.6 2.6 0 1 1 3.9 2.2C8.4 8.4 8 8.9 8 9.9M8 12.6v.1"
_HOURGLASS = "M4 2h8M4 14h8M5 2v2.3L8 8l3-3.7V2M5 14v-2.3L8 8l3 3.7V14"
_BARRED = "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM3.9 3.9l8.2 8.2"
_WARNING = "M8 2.2l6.3 11.3H1.7zM8 6.5v3.2M8 11.6v.1"
_DASH = "M3.5 8h9"
_PAUSE = "M5.5 3.5v9M10.5 3.5v9"
_EYE = "M1.6 8q6.4-8 12.8 0q-6.4 8-12.8 0zM8 6.2a1.8 1.8 0 1 0 0 3.6a1.8 1.8 0 0 0 0-3.6z"

_ICONS: dict[str, str] = {
    Status.PENDING: _CLOCK,
    "retrying": _ARROW_ROUND,
    Status.SENDING: _ARROW,
    Status.ACCEPTED: _TICK,
    Status.REJECTED: _CROSS,
    Status.UNKNOWN: _QUESTION,
    Status.EXPIRED: _HOURGLASS,
    Status.CANCELLED: _BARRED,
    Status.INVALID: _WARNING,
    Status.SKIPPED: _DASH,
}
_OUTCOMES: dict[str, tuple[str, str]] = {
    Outcome.ACCEPTED: ("good", _TICK),
    Outcome.TURNED_AWAY: ("busy", _ARROW_ROUND),
    Outcome.REJECTED: ("bad", _CROSS),
    Outcome.CONFIGURATION: ("bad", _WARNING),
    Outcome.NOT_ARRIVED: ("busy", _ARROW_ROUND),
    Outcome.MAY_HAVE_ARRIVED: ("warn", _QUESTION),
    Outcome.NOT_SENT: ("quiet", _DASH),
    Attempt.LEASE_RAN_OUT: ("warn", _QUESTION),
}
_MODES: dict[str, tuple[str, str]] = {
    EventRule.Mode.LIVE: ("good", _ARROW),
    EventRule.Mode.WATCH: ("busy", _EYE),
    EventRule.Mode.OFF: ("quiet", _BARRED),
}
_BATCH_ICONS: dict[str, str] = {
    ResendBatch.State.WAITING: _CLOCK,
    ResendBatch.State.RUNNING: _ARROW_ROUND,
    ResendBatch.State.DONE: _TICK,
    ResendBatch.State.CANCELLED: _BARRED,
}
BATCH_TONES: dict[str, str] = {
    ResendBatch.State.WAITING: "busy",
    ResendBatch.State.RUNNING: "busy",
    ResendBatch.State.DONE: "good",
    ResendBatch.State.CANCELLED: "quiet",
}
TONES: dict[str, str] = {
    Status.PENDING: "busy",
    Status.SENDING: "busy",
    Status.ACCEPTED: "good",
    Status.REJECTED: "bad",
    Status.UNKNOWN: "warn",
    Status.EXPIRED: "bad",
    Status.CANCELLED: "quiet",
    Status.INVALID: "warn",
    Status.SKIPPED: "quiet",
}
"""Of which kind a status is; the style sheet gives each kind a colour."""


def status_badge(row: Notification) -> SafeString:
    """Where a notification stands; pending after a try reads "retrying"."""
    if row.status == Status.PENDING and row.attempts:
        return _badge(TONES[row.status], _ICONS["retrying"], _("retrying"))
    return bare_status_badge(row.status)


def bare_status_badge(status: str) -> SafeString:
    """Where a notification stands, of which only the status is known."""
    return _badge(TONES[status], _ICONS[status], str(Status(status).label))


def state(row: Notification, *, beside: str = "") -> SafeString:
    """The badge, and below it what it leaves to say."""
    note = wording.note(row)
    return format_html("{} {}{}", status_badge(row), beside, noted(note) if note else "")


def noted(text: str) -> SafeString:
    """A quiet line of its own below the first."""
    return format_html('<span class="chatitive-note">{}</span>', text)


def outcome_badge(attempt: Attempt) -> SafeString:
    """How an attempt ended."""
    tone, icon = _OUTCOMES[attempt.outcome]
    return _badge(tone, icon, attempt.get_outcome_display())


def channel_badge(channel: ChannelHealth) -> SafeString:
    """Whether a channel's messages flow; "overdue" is for one that flows, and too slowly."""
    tone, icon, word = {
        "flowing": ("good", _TICK, _("flowing")),
        "overdue": ("bad", _WARNING, _("falling behind")),
        "slowed": ("busy", _HOURGLASS, _("slowed down")),
        "paused": ("warn", _PAUSE, _("paused")),
        "breaker_open": ("bad", _WARNING, _("can't deliver")),
    }[channel.state]
    return _badge(tone, icon, word)


def mode_badge(mode: str) -> SafeString:
    """Whether a rule sends, only watches, or does nothing; another mode stands as it is."""
    tone, icon = _MODES.get(mode, ("bad", _WARNING))
    return _badge(tone, icon, EventRule(mode=mode).get_mode_display())


def check_badge(check: Check) -> SafeString:
    """Whether one thing that must hold does."""
    if check.problem:
        return _badge("warn", _WARNING, _("fails"))
    tone, icon, word = {
        True: ("good", _TICK, _("holds")),
        False: ("bad", _CROSS, _("doesn't hold")),
        None: ("quiet", _DASH, _("has to happen")),
    }[check.holds]
    return _badge(tone, icon, word)


def verdict_badge(verdict: Verdict) -> SafeString:
    """What would come of an event."""
    tone, icon, word = {
        Verdict.SENDS: ("good", _TICK, _("would be sent")),
        Verdict.WAITS: ("quiet", _CLOCK, _("not now")),
        Verdict.CONDITION_FAILS: ("quiet", _CROSS, _("would not be sent")),
        Verdict.HELD_BACK: ("busy", _BARRED, _("would be held back")),
        Verdict.INVALID: ("bad", _WARNING, _("could not be built")),
    }[verdict]
    return _badge(tone, icon, word)


def batch_badge(batch: ResendBatch) -> SafeString:
    """How far a resend of many has come."""
    return _badge(BATCH_TONES[batch.state], _BATCH_ICONS[batch.state], batch.get_state_display())


def _badge(tone: str, icon: str, word: str) -> SafeString:
    return format_html(
        '<span class="chatitive-badge chatitive-{}">'
        '<svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true" focusable="false">'
        '<path d="{}"/></svg>{}</span>',
        tone,
        icon,
        word,
    )
