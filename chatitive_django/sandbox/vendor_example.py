"""The vendor's own sample: one channel, one workflow, and a text that asks for feedback."""

from __future__ import annotations

from django.db import transaction

from .conditions import Operator
from .models import Account, Channel, Subscriber

CHANNEL_SID = "p03Gjl8Uzn0RkZSpHXHnrw"
EVENT_NAME = "RequestSupportFeedback"
MESSAGE = (
    "Hi {{ subscriber.properties.firstName }}, how was your interaction with "
    "{{ cs_agent_name }}? {{ ticket_url }}"
)


@transaction.atomic
def install_vendor_example(
    *, account_sid: str, token: str, channel_sid: str = CHANNEL_SID
) -> Channel:
    """Make the sample's account, channel and workflow, and return the channel.

    To call it again mends the token and whose channel it is; a workflow that is there already
    stays as it was edited.
    """
    account, _ = Account.objects.update_or_create(
        sid=account_sid, defaults={"token": token}, create_defaults={"token": token, "name": "Demo"}
    )
    channel, _ = Channel.objects.update_or_create(
        sid=channel_sid,
        defaults={"account": account},
        create_defaults={"account": account, "name": "Support"},
    )
    if not channel.workflows.filter(event_name=EVENT_NAME).exists():
        workflow = channel.workflows.create(
            event_name=EVENT_NAME, name="Support feedback", message=MESSAGE
        )
        workflow.start_conditions.create(
            path="ticket_status", operator=Operator.EQUALS, value="Success"
        )
    return channel


def add_subscriber(
    channel: Channel, phone_number: str, *, first_name: str, status: str = "subscribed"
) -> Subscriber:
    """Add the person with this number to `channel`, or give them this name and status."""
    subscriber, _ = channel.subscribers.get_or_create(phone_number=phone_number)
    subscriber.properties = {**subscriber.properties, "firstName": first_name}
    subscriber.status = Subscriber.Status(status)
    subscriber.save()
    return subscriber
