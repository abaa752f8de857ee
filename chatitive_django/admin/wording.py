"""What the pages say, in words for support staff."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..models import Notification

Status = Notification.Status

ICONS: dict[str, str] = {
    Status.PENDING: "◷",
    Status.SENDING: "➚",
    Status.ACCEPTED: "✓",
    Status.REJECTED: "✗",
    Status.UNKNOWN: "?",
    Status.EXPIRED: "⌛",
    Status.CANCELLED: "⊘",
    Status.INVALID: "⚠",
    Status.SKIPPED: "–",
}

MEANINGS: dict[str, str | Promise] = {
    Status.PENDING: gettext_lazy("It will be sent by itself. Just wait, or cancel it."),
    Status.SENDING: gettext_lazy("It is being sent at this moment. Just wait."),
    Status.ACCEPTED: gettext_lazy(
        "Chatitive took the event. Whether a text goes out is decided by the workflow there."
    ),
    Status.REJECTED: gettext_lazy(
        "It was not sent and will not be tried again by itself. "
        "Once the cause is mended, resend it."
    ),
    Status.UNKNOWN: gettext_lazy(
        "Nobody can tell whether Chatitive got it. Ask the customer or look there first: "
        "to resend it may text them twice."
    ),
    Status.EXPIRED: gettext_lazy(
        "Its time was over before it could be sent. If the customer should still hear, resend it."
    ),
    Status.CANCELLED: gettext_lazy("It was stopped before it was sent. You may resend it."),
    Status.INVALID: gettext_lazy(
        "The message could not be built from the record. Mend the record (or ask a developer), "
        "then resend it: it is built anew."
    ),
    Status.SKIPPED: gettext_lazy("It was recorded and, as intended, not sent."),
}


def consequence(row: Notification) -> str:
    """What a resend of this notification will do, said before it is done."""
    if row.status == Status.ACCEPTED:
        return _(
            "Chatitive has accepted this message already. The same message is sent again as a new "
            "notification, so the customer may get a second text."
        )
    if row.status == Status.INVALID:
        return _(
            "The message is built anew from the record as it is today, and sent as a new "
            "notification. Nothing was sent before."
        )
    if row.status == Status.UNKNOWN:
        return _(
            "The same message is sent again. The first may have arrived, so the customer may get "
            "a second text."
        )
    return _("The same message is sent again. The customer hasn't got it before.")


def why_sentence(row: Notification) -> str:
    """Why the event fired: "status changed from Open to Success"."""
    why = row.why
    match why.get("transition"):
        case "changed":
            text = _("%(field)s changed from %(old)s to %(new)s") % {
                "field": why.get("field"),
                "old": _shown(why.get("old")),
                "new": _shown(why.get("new")),
            }
        case "created" if "field" in why:
            text = _("the record was created with %(field)s %(new)s") % {
                "field": why["field"],
                "new": _shown(why.get("new")),
            }
        case "created":
            text = _("the record was created")
        case "deleted":
            text = _("the record was deleted")
        case _other:
            return _("It was recorded by hand or by the project's own code.")
    held = [condition["condition"] for condition in why.get("conditions", ())]
    return "; ".join([text, *held])


def _shown(value: object) -> str:
    return _("nothing") if value in (None, "") else f"“{value}”"
