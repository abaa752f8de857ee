"""Why a notification is where it is: a short code, and a sentence for those who read the log."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SENTENCES: dict[str, Promise] = {
    # could not be built
    "no_subscriber": _("The record gave neither a phone number nor a subscriber SID."),
    "bad_subscriber": _("What the record gave as its subscriber can't be one."),
    "bad_path": _("The declaration reads something that the record doesn't have."),
    "not_json": _("The payload holds a value that can't be sent as JSON."),
    "raised": _("The project's own code failed while the message was being built."),
    "database": _("The database refused a query while the message was being built."),
    "unknown_channel": _("The channel isn't configured."),
    "bad_declaration": _("The event is declared in a way that can't be sent."),
    "bad_setting": _("A setting of CHATITIVE can't be used."),
    # recorded without sending
    "once_per_record": _("This record has had this event before, and it is sent once only."),
    "once_per_transition": _("This record has made this very change before."),
    "cooldown": _("This customer had the same event only a short time ago."),
    "watch_only": _("The event is in watch mode: it is recorded and not sent."),
    "watch_held_back": _(
        "The event is in watch mode, and its limits would have held this one back anyway."
    ),
    "vetoed": _("The project's own last check said that it should not be sent."),
    "printed_not_sent": _(
        "This channel prints messages or keeps them in memory: nothing was sent."
    ),
    # on its way
    "connection_refused": _("Chatitive couldn't be reached: the connection was refused."),
    "name_not_found": _("Chatitive couldn't be reached: its host name wasn't found."),
    "connect_timeout": _("Chatitive couldn't be reached in time."),
    "connection_failed": _("Chatitive couldn't be reached."),
    "tls_failed": _("No secure connection to Chatitive could be made."),
    "proxy_failed": _("The proxy couldn't be reached, or refused the connection."),
    "http_407": _("The proxy refused the connection (407)."),
    "http_408": _("Chatitive asked to try again later (408)."),
    "http_425": _("Chatitive asked to try again later (425)."),
    "http_429": _("Chatitive is receiving too many requests and asked to slow down (429)."),
    "http_500": _("Chatitive had an error of its own (500)."),
    "http_503": _("Chatitive is unavailable for now (503)."),
    "veto_failed": _("The project's own last check failed, so the message waits for the next try."),
    "overslept": _("The worker was held up for so long that it left the message to another try."),
    # someone must mend the settings
    "http_401": _("Chatitive refused the account SID or the token (401)."),
    "http_403": _("Chatitive refused access with this account (403)."),
    "certificate_untrusted": _("The server's certificate isn't trusted."),
    "configuration": _("The channel's URL can't be used."),
    # refused for good
    "http_404": _("Chatitive doesn't know this channel or address (404)."),
    "http_400": _("Chatitive couldn't read the request (400)."),
    "http_412": _("Chatitive can't send texts to this phone number (412)."),
    "invalid_request": _("The message can't be sent as it is, so it never left."),
    # may have arrived
    "no_answer": _("The request was sent and no answer came: it may have arrived."),
    "connection_lost": _("The connection broke after the request was sent: it may have arrived."),
    "bad_answer": _("The request was sent and the answer couldn't be read: it may have arrived."),
    "worker_lost": _("The worker stopped while it was sending: the message may have arrived."),
    "crashed": _("Sending failed with an unexpected error: the message may have arrived."),
    # ended by time or by a person
    "too_late": _("It wasn't accepted before its time was over."),
    "cancelled_by_staff": _("A member of staff cancelled it."),
    "discarded_by_staff": _("It waited in a paused channel, and a member of staff discarded it."),
    "replaced": _("A member of staff sent a message built anew in its place."),
    "scrubbed": _("Its subscriber was taken out of the log before it was sent."),
    "resent_by_staff": _("A member of staff asked to send it again."),
}


def sentence(reason: str) -> str:
    """The sentence for a reason code; the HTTP statuses without one of their own share one."""
    if reason in SENTENCES:
        return str(SENTENCES[reason])
    if reason.startswith("http_"):
        return _("Chatitive answered with status %(status)s.") % {"status": reason[5:]}
    return reason
