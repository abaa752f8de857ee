"""Rules in other processes than the one that saved them, by the clock, and what a save pays."""

from __future__ import annotations

import json
import time

import pytest

from chatitive_django.models import EventRule, Notification
from tests.acceptance.processes import SECONDS_TO_END, python, wait_until
from tests.desk.models import Customer, Lead

pytestmark = pytest.mark.django_db(transaction=True)

REFRESH = 1.0

SERVER = """
    import json, threading
    from django.db import connection
    from chatitive_django.models import EventRule, RuleCondition, RulePayload

    seconds, threads = float(sys.argv[1]), int(sys.argv[2])
    tables = [each._meta.db_table for each in (EventRule, RuleCondition, RulePayload)]
    others, reads, saves = [], [], []

    def note(execute, sql, params, many, context):
        asked = [table for table in tables if f"FROM {connection.ops.quote_name(table)}" in sql]
        (reads if asked else others).append(sql)
        return execute(sql, params, many, context)

    def work(pk):
        lead = Lead.objects.get(pk=pk)
        with connection.execute_wrapper(note):
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                lead.stage = "lost" if lead.stage == "new" else "new"
                lead.save()
                saves.append(1)
                time.sleep(0.005)
        connection.close()

    working = [threading.Thread(target=work, args=[pk]) for pk in sys.argv[3:][:threads]]
    print("begun", flush=True)
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()
    print(json.dumps({
        "saves": len(saves),
        "others": len(others),
        "versions": sum("COUNT(" in sql for sql in reads),
        "rules": sum("COUNT(" not in sql for sql in reads),
    }))
"""


def make_rule(**options):
    return EventRule.objects.create(
        **{
            "name": "Lost",
            "model": "desk.lead",
            "trigger": "changed",
            "field": "stage",
            "to_values": ["lost"],
            "event_name": "LeadLost",
            "phone_number": "customer.phone",
            "mode": "live",
        }
        | options
    )


def leads(number):
    customer = Customer.objects.create(name="Kim", phone="206-555-0100")
    return [Lead.objects.create(customer=customer) for _ in range(number)]


def begin(seconds, threads=1):
    pks = [lead.pk for lead in leads(threads)]
    process = python(SERVER, seconds, threads, *pks, RULES_REFRESH=REFRESH, DISPATCHER="worker")
    assert process.stdout.readline() == "begun\n"
    return process


def end(process):
    output, errors = process.communicate(timeout=SECONDS_TO_END)
    assert process.returncode == 0, errors
    return json.loads(output)


def test_a_rule_saved_in_one_process_is_in_force_in_another_within_the_setting():
    process = begin(seconds=6)
    time.sleep(1.5)
    assert not Notification.objects.exists()
    rule = make_rule()
    saved = time.monotonic()
    wait_until(Notification.objects.exists, seconds=5)
    assert time.monotonic() - saved < REFRESH + 1
    EventRule.objects.filter(pk=rule.pk).update(mode="off")
    time.sleep(REFRESH + 1)
    number = Notification.objects.count()
    time.sleep(0.5)
    assert Notification.objects.count() == number
    assert set(Notification.objects.values_list("rule", flat=True)) == {rule.pk}
    end(process)


def test_a_deleted_rule_that_another_process_still_uses_breaks_no_save():
    rule = make_rule()
    pk, key = rule.pk, rule.key
    process = begin(seconds=3)
    wait_until(Notification.objects.exists)
    rule.delete()
    end(process)
    assert set(Notification.objects.values_list("rule_id", "event_key")) == {
        (None, key),  # from before
        (pk, key),  # from the moment after
    }


@pytest.mark.parametrize("threads", [1, 3])
def test_a_save_costs_no_query_more_and_a_process_one_read_each_so_often(threads):
    for number in range(200):
        make_rule(name=f"Rule {number}", to_values=["won"])
    seconds = 4.5
    counted = end(begin(seconds=seconds, threads=threads))
    assert counted["saves"] > 50 * threads
    assert counted["others"] == counted["saves"]  # the UPDATE alone
    # Threads that save before the first read is done read for themselves.
    assert counted["versions"] <= seconds / REFRESH + 1 + 2 * threads
    assert counted["rules"] <= 3 * threads
