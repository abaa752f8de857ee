"""What the pages say, in words for support staff."""

from __future__ import annotations

from django.apps import apps
from django.db.models import Model
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ..events import ANY, Added, Created, Deleted, Removed, Trigger
from ..models import Notification
from ..registry import Declared, field_named
from ..rules import plan_for
from ..subscribers import is_phone_like, mask
from .moments import clock

Status = Notification.Status

HEADLINES: dict[str, Promise] = {
    Status.PENDING: gettext_lazy("It is waiting to be sent."),
    Status.SENDING: gettext_lazy("It is being sent at this moment."),
    Status.ACCEPTED: gettext_lazy("Chatitive accepted it."),
    Status.REJECTED: gettext_lazy("It was not sent."),
    Status.UNKNOWN: gettext_lazy("Nobody can tell whether it arrived."),
    Status.EXPIRED: gettext_lazy("It was not sent in time."),
    Status.CANCELLED: gettext_lazy("It was cancelled before it was sent."),
    Status.INVALID: gettext_lazy("The message could not be built."),
    Status.SKIPPED: gettext_lazy("It was recorded and, as intended, not sent."),
}

ADVICE: dict[str, Promise] = {
    Status.PENDING: gettext_lazy("It will be sent by itself. Just wait, or cancel it."),
    Status.SENDING: gettext_lazy("Just wait, and load this page again in a moment."),
    Status.ACCEPTED: gettext_lazy(
        "There is nothing to do. Whether a text goes out is decided by the workflow there."
    ),
    Status.REJECTED: gettext_lazy(
        "It will not be tried again by itself. Once the cause is mended, resend it."
    ),
    Status.UNKNOWN: gettext_lazy(
        "Ask the customer, or look at Chatitive, before you resend it: it may text them twice."
    ),
    Status.EXPIRED: gettext_lazy(
        "It will not be tried again by itself. If the customer should still hear, resend it."
    ),
    Status.CANCELLED: gettext_lazy("If the customer should hear after all, resend it."),
    Status.INVALID: gettext_lazy(
        "Nothing was sent. Mend the record (or ask a developer), then resend it: "
        "the message is built anew."
    ),
    Status.SKIPPED: gettext_lazy("There is nothing to do."),
}

SETTINGS_ARE_WRONG = frozenset({"http_401", "http_403", "certificate_untrusted", "configuration"})


QUIET = frozenset({Status.PENDING, Status.SENDING, Status.ACCEPTED, Status.CANCELLED})
"""The statuses that need no reason."""


def headline(row: Notification) -> str:
    """What happened, in one sentence."""
    if row.status == Status.ACCEPTED and row.attempts > 1:
        return _("Chatitive accepted it at try %(count)s.") % {"count": row.attempts}
    if row.status == Status.EXPIRED and row.reason != "too_late":
        return _("It was tried once more, and that failed.")
    if row.status == Status.PENDING and row.attempts and row.reason != "resent_by_staff":
        return ngettext(
            "It was tried once and will be tried again.",
            "It was tried %(count)s times and will be tried again.",
            row.attempts,
        ) % {"count": row.attempts}
    return str(HEADLINES[row.status])


def advice(row: Notification) -> str:
    """What it means for the reader and what to do."""
    if row.status == Status.PENDING and row.reason in SETTINGS_ARE_WRONG:
        return _(
            "Someone who looks after this site's settings has to mend this; after that it is sent "
            "by itself."
        )
    return str(ADVICE[row.status])


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


def consequence(row: Notification, *, is_resent: bool, may_have_arrived: bool) -> str:
    """What a resend of this notification will do, said before it is done."""
    if row.status == Status.ACCEPTED:
        return _(
            "Chatitive has accepted this message already. The same message is sent again as a new "
            "notification, so the customer may get a second text."
        )
    if row.status == Status.INVALID:
        text = _(
            "The message is built anew from the record as it is today, and sent as a new "
            "notification."
        )
        before = _("It was resent before.") if is_resent else _("Nothing was sent before.")
        return f"{text} {before}"
    if may_have_arrived:
        return _(
            "The same message is sent again. An earlier try may have arrived, so the customer may "
            "get a second text."
        )
    return _("The same message is sent again. The customer hasn't got it before.")


def why_sentence(row: Notification, *, whole: bool) -> str:
    """Why the event fired: "The status changed from “Open” to “Success”."

    Unless `whole`, what looks like a phone number is masked.
    """
    why = row.why
    new, old = (_quoted(why.get(name), whole=whole) for name in ("new", "old"))
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
        case _other:
            return _("It was recorded by hand or by the project's own code.")
    text %= {"field": _field(row.source_model, why.get("field")), "old": old, "new": new}
    held = "; ".join(str(each.get("condition", "")) for each in why.get("conditions") or ())
    return text + (" " + _("It held that %(held)s.") % {"held": held} if held else "")


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
    to = _either([_quoted(value, whole=True) for value in trigger.to])
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


def _quoted(value: object, *, whole: bool) -> str:
    if value in (None, "", []):
        return _("nothing")
    if isinstance(value, list):
        return ", ".join(_quoted(each, whole=whole) for each in value)
    text = str(value)
    return f"“{text if whole or not is_phone_like(text) else mask(text)}”"
