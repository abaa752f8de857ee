"""What the remote side does with an event, and how it explains itself."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

from django.db import router, transaction
from django.utils import timezone

from chatitive_django.subscribers import normalise

from .assumptions import Assumption
from .calls import NotifyCall, Refused, read_call
from .conditions import Operator, judge
from .liquid import BrokenTemplate, render
from .models import (
    Account,
    Channel,
    Message,
    ReceivedEvent,
    Subscriber,
    Workflow,
    WorkflowExecution,
)
from .sids import exact, spellings

Outcome = ReceivedEvent.Outcome
Status = WorkflowExecution.Status

_LONGEST_KEY = 200

# In the order of what matters most to the reader of an event.
_OUTCOMES = {
    Status.COMPLETED: Outcome.SENT,
    Status.FAILED: Outcome.FAILED,
    Status.WITHHELD: Outcome.WITHHELD,
    Status.SKIPPED: Outcome.SKIPPED,
}


@dataclass(slots=True)
class Story:
    """What is told of one event: sentences, and the assumptions they rest on."""

    lines: list[str] = field(default_factory=list)
    assumptions: list[Assumption] = field(default_factory=list)

    def tell(self, line: str, assumption: Assumption | None = None) -> None:
        """Add a sentence."""
        self.lines.append(line)
        if assumption is not None:
            self.assume(assumption)

    def assume(self, assumption: Assumption) -> None:
        """Note a choice of the sandbox's, once."""
        if assumption not in self.assumptions:
            self.assumptions.append(assumption)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a workflow does, why, and the text that it sends."""

    status: WorkflowExecution.Status
    explanation: str = ""
    text: str = ""


def receive(
    account: Account, *, channel_sid: str, body: bytes, idempotency_key: str
) -> ReceivedEvent:
    """Process a notify call to its end, in one transaction, and return the record of it.

    A refused call is recorded too: its `http_status` is the one to answer with.
    """
    with transaction.atomic(using=router.db_for_write(ReceivedEvent)):
        # This write comes before any read, because on SQLite a transaction that has read can't
        # become the writer while another one is.
        event = ReceivedEvent.objects.create(
            account=account,
            body=_storable(body.decode(errors="replace")),
            idempotency_key=_storable(idempotency_key)[:_LONGEST_KEY],
        )
        story = Story()
        try:
            event.outcome = _process(event, channel_sid, body, story)
        except Refused as refusal:
            event.outcome = Outcome.REFUSED
            event.http_status = refusal.http_status
            story.tell(refusal.explanation, refusal.assumption)
        event.explanation = "\n".join(story.lines)
        event.assumptions = [assumption.value for assumption in story.assumptions]
        event.save()
    return event


def decide(
    workflow: Workflow, subscriber: Subscriber, payload: dict[str, object], story: Story
) -> Decision:
    """What `workflow` does for `subscriber`; it reads its start conditions and writes nothing."""
    if not workflow.is_enabled:
        return Decision(Status.SKIPPED, "the workflow is disabled")
    values = {**payload, "subscriber": subscriber.as_values()}
    failed = []
    for condition in workflow.start_conditions.all():
        if condition.operator != Operator.EQUALS:
            story.assume(Assumption.OPERATOR)
        verdict = judge(condition.path, condition.operator, condition.value, values)
        if not verdict.holds:
            failed.append(verdict.explanation)
    if failed:
        return Decision(Status.SKIPPED, "; ".join(failed))
    if subscriber.status == Subscriber.Status.UNSUBSCRIBED:
        story.assume(Assumption.UNSUBSCRIBED)
        return Decision(Status.WITHHELD, "the subscriber is unsubscribed and gets no texts")
    if subscriber.status == Subscriber.Status.UNCONFIRMED and workflow.is_marketing:
        return Decision(
            Status.WITHHELD, "the subscriber is unconfirmed and the workflow is marketing"
        )
    return _write(workflow.message, values)


def _write(message: str, values: dict[str, object]) -> Decision:
    try:
        rendered = render(message, values)
    except BrokenTemplate as error:
        return Decision(Status.FAILED, f"its message can't be rendered: {error}")
    missing = ", ".join(f"`{name}`" for name in rendered.missing)
    explanation = f"its message names what has no value: {missing}" if missing else ""
    if not rendered.text.strip():
        return Decision(Status.FAILED, explanation or "its message is empty")
    return Decision(Status.COMPLETED, explanation, rendered.text)


def _process(
    event: ReceivedEvent, channel_sid: str, body: bytes, story: Story
) -> ReceivedEvent.Outcome:
    event.channel = channel = _channel(event.account, channel_sid)
    call = read_call(body)
    event.event_name = call.event_name
    _note_oddities(event, call, story)
    event.subscriber = subscriber = _subscriber(channel, call, story)
    if subscriber is None:
        return Outcome.IGNORED
    statuses = {
        _run(workflow, subscriber, event, call.payload, story)
        for workflow in _listening(channel, call.event_name, story)
    }
    return next(
        (outcome for status, outcome in _OUTCOMES.items() if status in statuses), Outcome.IGNORED
    )


def _channel(account: Account, channel_sid: str) -> Channel:
    sids = spellings(channel_sid, "ch_")
    channel = exact(Channel.objects.filter(account=account, sid__in=sids), sids)
    if channel is None:
        raise Refused("The account has no such channel.", Assumption.UNKNOWN_CHANNEL, 404)
    return channel


def _note_oddities(event: ReceivedEvent, call: NotifyCall, story: Story) -> None:
    if call.unknown:
        names = ", ".join(f"`{name}`" for name in call.unknown)
        story.tell(f"Ignored what notify does not know: {names}.", Assumption.UNKNOWN_PARAMETER)
    if "subscriber" in call.payload:
        story.tell(
            "The payload's `subscriber` is hidden by the subscriber.",
            Assumption.SHADOWED_SUBSCRIBER,
        )
    if (
        event.idempotency_key
        and ReceivedEvent.objects.filter(
            channel=event.channel, idempotency_key=event.idempotency_key
        )
        .exclude(pk=event.pk)
        .exists()
    ):
        story.tell("This Idempotency-Key has come before.", Assumption.REPEATED_KEY)


def _subscriber(channel: Channel, call: NotifyCall, story: Story) -> Subscriber | None:
    if call.subscriber_sid is not None:
        sids = spellings(call.subscriber_sid, "sub_")
        known = exact(channel.subscribers.filter(sid__in=sids), sids)
        if known is None:
            story.tell(
                "Ignored: the channel has no subscriber with this SID.",
                Assumption.UNKNOWN_SUBSCRIBER,
            )
    else:
        known = _subscriber_by_number(channel, call, story)
    return known


def _subscriber_by_number(channel: Channel, call: NotifyCall, story: Story) -> Subscriber | None:
    number = normalise(call.phone_number or "")
    if not number.startswith("+1"):
        story.assume(Assumption.FOREIGN_NUMBER)
    if not call.allow_new:
        known = channel.subscribers.filter(phone_number=number).first()
        if known is None:
            story.tell(
                f"Ignored: {number} is no subscriber of the channel, and allow_new is false.",
                Assumption.UNKNOWN_NUMBER,
            )
        return known
    status = Subscriber.Status.UNCONFIRMED
    if call.subscribe_new:
        status = Subscriber.Status.SUBSCRIBED
    subscriber, is_new = channel.subscribers.get_or_create(
        phone_number=number, defaults={"status": status}
    )
    if is_new:
        story.tell(f"{number} is new to the channel and was added as {status.label}.")
    else:
        story.assume(Assumption.KNOWN_SUBSCRIBER)
    return subscriber


def _listening(channel: Channel, event_name: str, story: Story) -> list[Workflow]:
    """The workflows of this event, compared letter for letter as MySQL's collations don't."""
    workflows = list(channel.workflows.order_by("id").prefetch_related("start_conditions"))
    listening = [workflow for workflow in workflows if workflow.event_name == event_name]
    if not listening:
        names = {workflow.event_name.casefold(): workflow.event_name for workflow in workflows}
        near = difflib.get_close_matches(event_name.casefold(), names, n=1)
        hint = f" One listens for `{names[near[0]]}`." if near else ""
        story.tell(
            f"Ignored: no workflow of the channel listens for `{event_name}`.{hint}",
            Assumption.UNHEARD_EVENT,
        )
    return listening


def _run(
    workflow: Workflow,
    subscriber: Subscriber,
    event: ReceivedEvent,
    payload: dict[str, object],
    story: Story,
) -> WorkflowExecution.Status:
    decision = decide(workflow, subscriber, payload, story)
    now = timezone.now()
    started = None if decision.status == Status.SKIPPED else now
    execution = WorkflowExecution.objects.create(
        workflow=workflow,
        subscriber=subscriber,
        event=event,
        status=decision.status,
        kwargs=payload,
        explanation=decision.explanation,
        start_date=started,
        completion_date=started,
    )
    if decision.text:
        Message.objects.create(
            channel_id=workflow.channel_id,
            execution=execution,
            phone_number=subscriber.phone_number,
            body=decision.text,
            sent_at=now,
        )
    because = f"; {decision.explanation}" if decision.explanation else ""
    story.tell(f"Workflow `{workflow.name}` {decision.status.label}{because}.")
    return decision.status


def _storable(text: str) -> str:
    """`text` without NUL, which PostgreSQL does not store."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
