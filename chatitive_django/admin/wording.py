"""What the pages say, in words for support staff."""

from __future__ import annotations

from django.apps import apps
from django.db.models import Model
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from .. import events
from ..events import ANY, Added, Created, Deleted, Removed, Trigger
from ..excerpts import with_numbers_masked
from ..models import BatchRow, Notification
from ..reasons import sentence
from ..registry import Declared, field_named
from ..rules import plan_for
from ..sorting import Sorted
from .moments import clock

Status = Notification.Status
Sort = BatchRow.Sort

HEADLINES: dict[str, Promise] = {
    Status.PENDING: gettext_lazy("It is waiting to be sent."),
    Status.SENDING: gettext_lazy("It is being sent at this moment."),
    Status.ACCEPTED: gettext_lazy("Chatitive accepted it."),
    Status.REJECTED: gettext_lazy("It was not sent"),
    Status.UNKNOWN: gettext_lazy("Nobody can tell whether it arrived"),
    Status.EXPIRED: gettext_lazy("It was not sent in time"),
    Status.CANCELLED: gettext_lazy("It was cancelled before it was sent"),
    Status.INVALID: gettext_lazy("The message could not be built"),
    Status.SKIPPED: gettext_lazy("It was recorded and, as intended, not sent"),
}
"""Those without a full stop are followed by the reason."""


QUIET = frozenset({Status.PENDING, Status.SENDING, Status.ACCEPTED, Status.CANCELLED})
"""The statuses that need no reason."""


def headline(row: Notification) -> str:
    """What happened and why, in one sentence: "Failed after 5 tries: Chatitive refused it."."""
    if row.status == Status.ACCEPTED and row.attempts > 1:
        return _("Chatitive accepted it at try %(count)s.") % {"count": row.attempts}
    why = sentence(row.reason) if row.reason else ""
    if row.status == Status.PENDING and row.reason == "resent_by_staff":
        return _("It is waiting to be sent again.")
    told = _stem(row)
    if told.endswith("."):
        return told
    return _("%(what)s: %(why)s") % {"what": told, "why": why} if why else f"{told}."


def _stem(row: Notification) -> str:
    tries = {"count": row.attempts}
    if row.status == Status.PENDING and row.attempts:
        return (
            ngettext(
                "It was tried once and will be tried again",
                "It was tried %(count)s times and will be tried again",
                row.attempts,
            )
            % tries
        )
    if row.status == Status.REJECTED and row.attempts:
        return (
            ngettext("Failed at the first try", "Failed after %(count)s tries", row.attempts)
            % tries
        )
    if row.status == Status.EXPIRED and row.reason != "too_late":
        return _("It was tried once more, and that failed")
    if row.status == Status.EXPIRED and row.attempts:
        return (
            ngettext("Given up after one try", "Given up after %(count)s tries", row.attempts)
            % tries
        )
    if row.status == Status.PENDING and row.reason:
        return str(HEADLINES[row.status]).removesuffix(".")
    return str(HEADLINES[row.status])


def note(row: Notification) -> str:
    """The few words that a status leaves to say; empty where it speaks for itself."""
    told = "" if row.status in QUIET else row.reason_sentence
    brief = tries(row)
    return f"{told} ({brief})" if told and brief else told or brief


def tries(row: Notification) -> str:
    """When it is tried next, and how often it was; empty where one try was all."""
    told = ""
    if row.status == Status.PENDING and row.attempts:
        told = _("Next try at %(time)s") % {"time": clock(row.available_at)}
    if row.attempts < 2:
        return told
    count = ngettext("%(count)s try", "%(count)s tries", row.attempts) % {"count": row.attempts}
    return f"{told} ({count})" if told else count


CONSEQUENCES: dict[str, Promise] = {
    Sort.FRESH: gettext_lazy("The same message is sent again. The customer hasn't got it before."),
    Sort.DOUBTFUL: gettext_lazy(
        "An earlier try may have arrived, so the customer may get a second text."
    ),
    Sort.ACCEPTED: gettext_lazy(
        "It was resent before, as a new notification: the customer may get a second text."
    ),
    Sort.ACCEPTED_LATER: gettext_lazy(
        "The customer has heard of this since: the same event was accepted later for this record. "
        "They may get a second text."
    ),
    Sort.CHANGED: gettext_lazy(
        "The customer hasn't got it before, and the record has changed since."
    ),
    Sort.SCHEDULED: gettext_lazy("It is being sent at this moment, so there is nothing to resend."),
    Sort.NO_PHONE: gettext_lazy(
        "The record has no phone number now. The message goes to the one that it had then."
    ),
    Sort.IMPOSSIBLE: gettext_lazy("It was meant not to be sent, so there is nothing to resend."),
}


def consequence(row: Notification, found: Sorted) -> str:
    """What a resend of this notification will do, said before it is done."""
    if row.status == Status.PENDING:
        text = _("It goes by itself, so there is nothing to resend: the next try is at %(time)s.")
        return text % {"time": clock(row.available_at)}
    if row.scrubbed_at is not None:
        return _("Its subscriber was scrubbed, so nobody can be sent it.")
    if row.status == Status.ACCEPTED:
        return _(
            "Chatitive has accepted this message already. It is sent again as a new "
            "notification, so the customer may get a second text."
        )
    if row.status == Status.INVALID and found.today is not None:
        if found.today.row is None:
            return _("%(why)s Mend that first.") % {"why": found.today.text}
        if found.sort == Sort.FRESH:
            return _(
                "The message is built anew from the record as it is today, and sent as a new "
                "notification. Nothing was sent before."
            )
    return str(CONSEQUENCES[found.sort])


BY_HAND: dict[str, Promise] = {
    Notification.Origin.MANUAL: gettext_lazy("The project's own code recorded it."),
    Notification.Origin.TEST: gettext_lazy("It is a test that somebody asked for."),
}
"""What stands in the place of a transition and of a declaration where there is neither."""


def why_sentence(row: Notification, *, whole: bool) -> str:
    """Why the event fired: "The status changed from “Open” to “Success”."

    Unless `whole`, phone numbers are masked.
    """
    why = row.why
    new, old = _quoted(why.get("new")), _quoted(why.get("old"))
    match why.get("transition"):
        case "changed":
            text = _("The %(field)s changed from %(old)s to %(new)s.")
        case "created" if "field" in why:
            text = _("The record was created with the %(field)s %(new)s.")
        case "created":
            text = _("The record was created.")
        case "deleted":
            text = _("The record was deleted.")
        case "added":
            text = _("The %(field)s gained %(new)s.")
        case "removed":
            text = _("The %(field)s lost %(old)s.")
        case events.FOUND:
            text = _("The %(field)s was %(new)s already when the rule went live.")
        case _other:
            told = _("It was recorded by hand or by the project's own code.")
            return str(BY_HAND.get(row.origin, told))
    text %= {"field": _field(row.source_model, why.get("field")), "old": old, "new": new}
    held = "; ".join(str(each.get("condition", "")) for each in why.get("conditions") or ())
    if held:
        text += " " + _("It held that %(held)s.") % {"held": held}
    return text if whole else with_numbers_masked(text)


def declared_sentences() -> list[tuple[str, str]]:
    """Each declared event with when it is emitted: what will fill an empty log."""
    return [
        (declared.event.name, _when(model, declared))
        for model in apps.get_models()
        if (plan := plan_for(model)) is not None
        for declared in plan.owners.get(model, ())
    ]


def _when(model: type[Model], declared: Declared) -> str:
    return _either([_trigger(model, trigger) for trigger in declared.triggers])


def _trigger(model: type[Model], trigger: Trigger) -> str:
    names = {"model": model._meta.verbose_name}
    match trigger:
        case Created():
            return _("when any %(model)s is created") % names
        case Deleted():
            return _("when any %(model)s is deleted") % names
    names["field"] = _field(model._meta.label_lower, trigger.field)
    match trigger:
        case Added():
            return _("when the %(field)s of any %(model)s gain one") % names
        case Removed():
            return _("when the %(field)s of any %(model)s lose one") % names
    if trigger.to is ANY:
        return _("when the %(field)s of any %(model)s changes") % names
    to = _either([_quoted(value) for value in trigger.to])
    return _("when the %(field)s of any %(model)s changes to %(to)s") % {**names, "to": to}


def _either(parts: list[str]) -> str:
    return (" " + _("or") + " ").join(dict.fromkeys(parts))


def _field(model_label: str, name: object) -> str:
    """A field by the name that people know it by, or as the log has it."""
    try:
        field = field_named(apps.get_model(model_label), str(name))
    except (LookupError, ValueError):
        field = None
    return str(field.verbose_name if field else name)


def _quoted(value: object) -> str:
    if value in (None, "", []):
        return _("nothing")
    if isinstance(value, list):
        return ", ".join(_quoted(each) for each in value)
    return f"“{value}”"
