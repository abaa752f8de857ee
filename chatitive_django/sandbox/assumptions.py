"""Everything the sandbox had to choose because the vendor's documentation does not say.

An answer that rests on a choice names it in the header `X-Chatitive-Sandbox-Assumption` (several
are separated by commas), and the page of events gives the sentence. What the JSON of an answer
looks like is always the sandbox's own choice, so no client should read it.
"""

from __future__ import annotations

from django.db.models import TextChoices

HEADER = "X-Chatitive-Sandbox-Assumption"


class Assumption(TextChoices):
    """A choice of the sandbox's: its name in the header, and what was chosen."""

    WRONG_METHOD = "wrong-method", "Any method but POST is answered with 405."
    WRONG_CREDENTIALS = "wrong-credentials", "A wrong account SID or token is answered with 401."
    UNKNOWN_CHANNEL = "unknown-channel", "A channel that the account does not have is a 404."
    MALFORMED = "malformed", "A body that can't be read, or a value of a wrong type, is a 400."
    TOO_LARGE = "too-large", "A body, a name or a nesting beyond the sandbox's limits is refused."
    NO_IDENTIFIER = "no-identifier", "Neither a phone_number nor a subscriber_sid is a 400."
    BOTH_IDENTIFIERS = "both-identifiers", "A phone_number and a subscriber_sid at once are a 400."
    SUBSCRIBE_NEW_ALONE = "subscribe-new-alone", "subscribe_new without allow_new is a 400."
    UNKNOWN_PARAMETER = "unknown-parameter", "A parameter that notify does not have is ignored."
    REPEATED_KEY = "repeated-key", "A repeated Idempotency-Key does not hold the event back."
    UNKNOWN_NUMBER = (
        "unknown-number",
        "An event ignored for an unknown number is answered with 202.",
    )
    UNKNOWN_SUBSCRIBER = "unknown-subscriber", "An event for an unknown subscriber_sid is ignored."
    FOREIGN_NUMBER = "foreign-number", "A number outside North America is taken like any other."
    KNOWN_SUBSCRIBER = (
        "known-subscriber",
        "allow_new and subscribe_new change nothing for a subscriber who is known already.",
    )
    UNHEARD_EVENT = "unheard-event", "An event that no workflow listens for is answered with 202."
    UNSUBSCRIBED = "unsubscribed", "An event for someone unsubscribed is a 202 and sends nothing."
    OPERATOR = "operator", "Of the operators of start conditions only `equals` is documented."
    SHADOWED_SUBSCRIBER = (
        "shadowed-subscriber",
        "A payload key named subscriber is hidden by the subscriber.",
    )
