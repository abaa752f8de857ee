"""What capture costs, as ratios within one run.

DATABASE=postgresql python -m benchmarks.capture
DATABASE=sqlite python -m benchmarks.capture
"""

from __future__ import annotations

import os
import uuid

import django
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from benchmarks.database import run
from benchmarks.models import Agent, Customer, Plain, Watched, WatchedCreation
from benchmarks.ratios import medians
from chatitive_django.models import Notification

PORTION = 20


def many(write):
    """A contestant that makes one write many times, for a clock is coarse."""

    def run():
        for _ in range(PORTION):
            write()

    return run


def main() -> int:
    rounds = int(os.environ.get("ROUNDS", "150"))
    customer = Customer.objects.create(name="Kim", phone="206-555-0100")
    agent = Agent.objects.create(name="Pam")
    plain, watched, created = (
        model.objects.create(customer=customer, agent=agent)
        for model in (Plain, Watched, WatchedCreation)
    )

    def save(instance, **values):
        def write():
            for name, value in values.items():
                setattr(instance, name, value)
            instance.save()

        return many(write)

    def save_fields(instance):
        return many(lambda: instance.save(update_fields=["title"]))

    states = {"Success": "Other", "Other": "Success"}

    def row_of_the_same_width():
        now = timezone.now()
        return Notification.objects.create(
            public_id=uuid.uuid4(),
            event_name="RequestSupportFeedback",
            channel="default",
            phone_number="206-555-0100",
            subscriber_key="+12065550100",
            on_ambiguous="hold",
            order_key="default:+12065550100",
            payload={
                "ticket_url": plain.get_absolute_url(),
                "ticket_status": "Success",
                "cs_agent_name": "Pam",
            },
            available_at=now,
            expires_at=now,
            created_at=now,
            source_model="benchmarks.plain",
            source_id=str(plain.pk),
            source_name="Plain object (1)",
            event_key="benchmarks.Plain:RequestSupportFeedback",
            why={
                "transition": "changed",
                "field": "status",
                "old": "Other",
                "new": "Success",
                "conditions": [],
            },
        )

    def plain_with_row():
        with transaction.atomic():
            plain.status = states[plain.status]
            plain.save()
            row_of_the_same_width()

    def fires():
        # Both have to write another value, and only every second one fires: so the value is put
        # back outside of what is timed.
        with transaction.atomic():
            watched.status = "Success"
            watched.save()

    def put_back():
        Watched.objects.filter(pk=watched.pk).update(status="Other")

    plain.status = "Other"
    plain.save()
    quiet = medians(
        {
            "plain save": save(plain, status="Other"),
            "save, a value no trigger asks for": save(watched, status="Other"),
            "save of a row whose creation is watched": save(created, status="Other"),
            "plain save(update_fields)": save_fields(plain),
            "save(update_fields) without the watched": save_fields(watched),
            "load plain": many(lambda: list(Plain.objects.all())),
            "load watched": many(lambda: list(Watched.objects.all())),
        },
        rounds=rounds,
        warmup=10,
    )
    firing = medians(
        {
            "plain save and create()": plain_with_row,
            "(put back)": put_back,
            "save that fires": fires,
        },
        rounds=rounds * 10,
        warmup=50,
    )
    put_back()
    with CaptureQueriesContext(connection) as queries:
        fires()

    print(f"{connection.vendor}, Django {django.__version__}")
    for of, to in [
        ("save, a value no trigger asks for", "plain save"),
        ("save of a row whose creation is watched", "plain save"),
        ("save(update_fields) without the watched", "plain save(update_fields)"),
        ("load watched", "load plain"),
    ]:
        print(f"  {of} / {to}: {quiet[of] / quiet[to]:.3f}")
    ratio = firing["save that fires"] / firing["plain save and create()"]
    print(f"  save that fires / plain save and create() in one atomic(): {ratio:.3f}")
    print(f"  its statements: {', '.join(q['sql'].split()[0] for q in queries)}")
    return 0


if __name__ == "__main__":
    run(main)
