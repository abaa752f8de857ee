"""What 200 live rules on one model cost a save, against one rule, as ratios within one run.

DATABASE=postgresql python -m benchmarks.rules
DATABASE=sqlite python -m benchmarks.rules
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")

import django

django.setup()

from django.db import connection
from django.test.utils import get_runner

from benchmarks.capture import many
from benchmarks.models import Agent, Customer, ManyRules, OneRule, Plain
from benchmarks.ratios import medians
from chatitive_django.models import EventRule, Notification

RULES = 200


def make_rule(model, number):
    """Each rule asks for another value of one of three columns, one in ten from any value."""
    field = ("status", "title", "agent_id")[number % 3]
    value = number + 10_000 if field == "agent_id" else f"Value {number}"
    EventRule.objects.create(
        name=f"{model.__name__} {number}",
        model=model._meta.label_lower,
        trigger="changed",
        field=field,
        from_values=[] if number % 10 == 0 else [value + 1 if field == "agent_id" else "Draft"],
        to_values=[value],
        event_name=f"Event {number}",
        phone_number="customer.phone",
        mode="live",
    )


def main() -> int:
    rounds = int(os.environ.get("ROUNDS", "300"))
    customer = Customer.objects.create(name="Kim", phone="206-555-0100")
    agent = Agent.objects.create(name="Pam")
    make_rule(OneRule, 0)
    for number in range(RULES):
        make_rule(ManyRules, number)

    states = {"Open": "Other", "Other": "Open"}

    def save(model):
        instance = model.objects.create(customer=customer, agent=agent, status="Open")

        def write():
            instance.status = states[instance.status]
            instance.save()

        return instance, many(write)

    (_, plain), (one, save_one), (several, save_several) = map(save, (Plain, OneRule, ManyRules))
    took = medians(
        {
            "plain": plain,
            "one rule": save_one,
            f"{RULES} rules": save_several,
        },
        rounds=rounds,
        warmup=20,
    )
    assert not Notification.objects.exists()
    for instance in (one, several):
        instance.status = "Value 0"
        instance.save()
    assert Notification.objects.count() == 2  # the rules are in force
    print(f"{connection.vendor}, Django {django.__version__}")
    for of, to in [(f"{RULES} rules", "one rule"), ("one rule", "plain")]:
        print(f"  a save that matches none, {of} / {to}: {took[of] / took[to]:.3f}")
    return 0


if __name__ == "__main__":
    runner = get_runner(django.conf.settings)(verbosity=0, interactive=False)
    old = runner.setup_databases()
    try:
        code = main()
    finally:
        runner.teardown_databases(old)
    sys.exit(code)
