"""What each status and reason means for staff, who can mend it, and which act does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import partial
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from ..models import Notification

Status = Notification.Status


class Mender(Enum):
    """Who can do something about it."""

    YOU = _("You can.")
    RECORD = _("Whoever may change the record can.")
    DEVELOPER = _("A developer, or whoever looks after this site, can.")
    WAIT = _("Nobody has to: just wait.")
    NOBODY = _("There is nothing to mend.")


class Act(StrEnum):
    """What the button beside the meaning leads to."""

    RESEND = "resend"
    CANCEL = "cancel"
    RECORD = "record"
    CHANNELS = "channels"
    EXPLAIN = "explain"
    RELOAD = "reload"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What this means, who can mend it, what to do, and the act that does."""

    means: Promise
    mender: Mender
    todo: Promise
    act: Act


WAIT: Final = _("It is tried again by itself; the time of the next try is below.")
WAIT_FOR_MENDING: Final = _(
    "Tell them the sentence above. Nothing is lost: when it is mended, the message goes by itself."
)
RESEND_LATER: Final = _(
    "A try that a person asked for isn't repeated by itself. Resend it when the cause is over."
)
RESEND_WHEN_MENDED: Final = _(
    "Send them the support summary below. It isn't tried again by itself: when the cause is "
    "mended, resend it."
)
MEND_THE_RECORD: Final = _("Mend the record, then resend this, rebuilt from today's data.")
ASK_FIRST: Final = _(
    "Ask the customer, or look for the text at Chatitive. Resend it if it isn't there; if it is, "
    "leave it alone, for they would be texted twice."
)
NOTHING: Final = _("Nothing.")
NOTHING_UNLESS: Final = _("Nothing, unless the customer should hear after all: then resend it.")
LOOK_AGAIN: Final = _("Load this page again in a moment.")


_waits = partial(Meaning, mender=Mender.WAIT, todo=WAIT, act=Act.CANCEL)
_settings = partial(Meaning, mender=Mender.DEVELOPER, todo=WAIT_FOR_MENDING, act=Act.CHANNELS)
_developer = partial(Meaning, mender=Mender.DEVELOPER, todo=RESEND_WHEN_MENDED, act=Act.RESEND)
_record = partial(Meaning, mender=Mender.RECORD, todo=MEND_THE_RECORD, act=Act.RECORD)
_doubtful = partial(Meaning, mender=Mender.YOU, todo=ASK_FIRST, act=Act.RESEND)
_ended = partial(Meaning, mender=Mender.NOBODY, todo=NOTHING_UNLESS, act=Act.RESEND)
_intended = partial(Meaning, mender=Mender.NOBODY, todo=NOTHING, act=Act.EXPLAIN)

NOT_THERE: Final = _("Chatitive wasn't reached, so the customer has got nothing from this try.")
TURNED_AWAY: Final = _("Chatitive was reached and didn't take the message.")
IN_DOUBT: Final = _(
    "Chatitive may have taken the message or not: the customer may have got the text."
)

REASONS: Final[dict[str, Meaning]] = {
    # could not be built
    "no_subscriber": _record(
        _("There is nobody to send it to: the record has no phone number, so nothing was sent.")
    ),
    "bad_subscriber": _record(
        _("What stands where the phone number should be can't be one, so nothing was sent.")
    ),
    "bad_path": _developer(
        _("The message is put together from something that the record lacks; nothing was sent.")
    ),
    "not_json": _developer(_("One value of the message has a form that can't be sent.")),
    "raised": _developer(_("An error in the project kept the message from being built.")),
    "database": _developer(_("An error of the database kept the message from being built.")),
    "unknown_channel": _developer(_("The message was meant for a channel that isn't set up.")),
    "bad_declaration": _developer(_("The event or rule has a mistake, so nothing was sent.")),
    "bad_setting": _developer(_("A mistake in this site's settings kept it from being built.")),
    # recorded without sending
    "once_per_record": _intended(_("The customer has heard of this record already.")),
    "once_per_transition": _intended(_("The customer has heard of this very change already.")),
    "cooldown": _intended(_("The customer isn't to get the same text twice within a short time.")),
    "watch_only": _intended(
        _("The rule is being watched: it shows what it would have sent, and sends nothing.")
    ),
    "watch_held_back": _intended(
        _("The rule is being watched, and one of its limits would have held this one back.")
    ),
    "vetoed": _intended(
        _("The project looked once more right before it was sent, and held it back.")
    ),
    "printed_not_sent": _intended(
        _("This channel is for development: its messages reach no phone.")
    ),
    # on its way
    "connection_refused": _waits(NOT_THERE),
    "name_not_found": _waits(NOT_THERE),
    "connect_timeout": _waits(NOT_THERE),
    "connection_failed": _waits(NOT_THERE),
    "tls_failed": _waits(NOT_THERE),
    "proxy_failed": _waits(NOT_THERE),
    "http_407": _waits(NOT_THERE),
    "http_408": _waits(TURNED_AWAY),
    "http_425": _waits(TURNED_AWAY),
    "http_429": _waits(
        _("Chatitive takes so many messages a minute and no more; this one waits for its turn.")
    ),
    "http_500": _waits(
        _("Chatitive failed while it handled the message, and didn't take it as far as it tells.")
    ),
    "http_503": _waits(TURNED_AWAY),
    "veto_failed": _waits(
        _("The project looks once more before it is sent, and that failed; nothing was sent.")
    ),
    "overslept": _waits(_("The machine was too busy to send it in time, so it wasn't sent.")),
    # someone must mend the settings
    "http_401": _settings(_("Chatitive doesn't accept this site's account, for any message.")),
    "http_403": _settings(_("Chatitive doesn't let this site's account send, for any message.")),
    "certificate_untrusted": _settings(
        _("What answers in Chatitive's place can't prove that it is Chatitive, so nothing is sent.")
    ),
    "configuration": _settings(_("The address of this channel can't be used, for any message.")),
    "http_3xx": _settings(_("Chatitive is said to have moved, and this site isn't told where to.")),
    # refused for good
    "http_400": _developer(_("Chatitive refused the message as it is; the customer got nothing.")),
    "http_404": _developer(
        _("Chatitive doesn't know the channel, or the customer; the customer got nothing.")
    ),
    "http_412": _record(_("This number can't get texts: it may be a landline.")),
    "http_4xx": _developer(
        _("Chatitive refused this message, and would again; the customer got nothing.")
    ),
    "invalid_request": _developer(
        _("Something in the message can't be sent, so it never left; the customer got nothing.")
    ),
    # may have arrived
    "no_answer": _doubtful(IN_DOUBT),
    "connection_lost": _doubtful(IN_DOUBT),
    "bad_answer": _doubtful(IN_DOUBT),
    "worker_lost": _doubtful(IN_DOUBT),
    "crashed": _doubtful(IN_DOUBT),
    "http_1xx": _doubtful(IN_DOUBT),
    "http_5xx": _doubtful(IN_DOUBT),
    # ended by time or by a person
    "too_late": Meaning(
        _("It could not be sent while it was news, so it was given up."),
        Mender.YOU,
        _("If the customer should still hear, resend it."),
        Act.RESEND,
    ),
    "cancelled_by_staff": _ended(_("Somebody decided that the customer shouldn't get it.")),
    "discarded_by_staff": _ended(
        _("The channel was paused, and it was decided that what waited shouldn't be sent any more.")
    ),
    "replaced": _ended(_("The message that was built anew is the one that counts.")),
    "scrubbed": _intended(_("The person was taken out of this log; nobody can be sent it.")),
    "resent_by_staff": Meaning(
        _("It waits for its turn; it is sent within moments."), Mender.WAIT, LOOK_AGAIN, Act.RELOAD
    ),
}
"""By the code of the reason; the HTTP statuses that have none of their own share their family's."""

STATUSES: Final[dict[str, Meaning]] = {
    Status.PENDING: Meaning(
        _("It waits for its turn; it is sent within moments."), Mender.WAIT, LOOK_AGAIN, Act.CANCEL
    ),
    Status.SENDING: Meaning(
        _("It is on its way to Chatitive right now."), Mender.WAIT, LOOK_AGAIN, Act.RELOAD
    ),
    Status.ACCEPTED: Meaning(
        _(
            "Chatitive has taken the message. Whether a text goes out is decided by the workflow "
            "there; this site isn't told."
        ),
        Mender.NOBODY,
        NOTHING,
        Act.RESEND,
    ),
    Status.REJECTED: _developer(_("It was refused; the customer got nothing.")),
    Status.UNKNOWN: _doubtful(IN_DOUBT),
    Status.EXPIRED: REASONS["too_late"],
    Status.CANCELLED: REASONS["cancelled_by_staff"],
    Status.INVALID: _developer(_("The message could not be built, so nothing was sent.")),
    Status.SKIPPED: _intended(_("It was recorded, and as intended not sent.")),
}
"""Where no reason is given, or none that is known here."""

STOPPED: Final = Meaning(
    _("The whole channel is stopped, so its messages wait and don't grow old."),
    Mender.YOU,
    _("The page of the channels tells why; when the channel goes on, this goes by itself."),
    Act.CHANNELS,
)
BEHIND: Final = Meaning(
    _("An earlier message to the same person isn't through yet, and they go in order."),
    Mender.WAIT,
    _("Look at that earlier one; when it has gone or is cancelled, this goes by itself."),
    Act.CANCEL,
)


def meaning(row: Notification) -> Meaning:
    """What a row's status and reason mean together."""
    status = Status(row.status)
    if status in {Status.SENDING, Status.ACCEPTED}:
        return STATUSES[status]
    found = _known(row.reason)
    if found is None:
        return STATUSES[status]
    match status:
        case Status.PENDING if found.mender not in {Mender.WAIT, Mender.DEVELOPER}:
            return _waits(found.means)
        case Status.PENDING if found.act is not Act.CHANNELS and found.mender is Mender.DEVELOPER:
            return _settings(found.means)  # refused for one after another: the channel is at fault
        case Status.UNKNOWN:
            return _doubtful(IN_DOUBT if found.mender is Mender.WAIT else found.means)
        case Status.EXPIRED if row.reason != "too_late":
            return Meaning(found.means, Mender.YOU, RESEND_LATER, Act.RESEND)
    return found


def _known(reason: str) -> Meaning | None:
    family = f"{reason[:6]}xx" if reason.startswith("http_") else ""
    return REASONS.get(reason) or REASONS.get(family)
