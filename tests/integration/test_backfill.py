"""Backfills: which records a rule finds in its state, and what each is sent at its turn."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from chatitive_django import backfill, batches, registry
from chatitive_django.apps import watch
from chatitive_django.backfill import Backfill, backfill_of
from chatitive_django.explain import Reader, explain
from chatitive_django.models import BatchRow, EventRule, Notification, ResendBatch
from chatitive_django.resend import NotPossible, resend, version
from chatitive_django.testing import deliver
from tests.desk.models import Clerk, Lead, Tag
from tests.factories import CustomerFactory, StaffFactory
from tests.fields_app.models import ByPair, ByUUID, Removable
from tests.integration.test_batches import later
from tests.integration.test_rules import make

pytestmark = pytest.mark.django_db

Status = Notification.Status
State = ResendBatch.State
Sort = BatchRow.Sort


@pytest.fixture
def boss():
    return StaffFactory(is_superuser=True)


def leads(count=1, *, phone=None, **values):
    """Leads that were won before any rule looked at them."""
    phones = {} if phone is None else {"phone": phone}
    return [
        Lead.objects.create(**{"stage": "won", "customer": CustomerFactory(**phones)} | values)
        for _ in range(count)
    ]


def begun(rule, user, *, pace=ResendBatch.Pace.FAST):
    """A backfill that was confirmed with its rule, and whose minute of undoing is over."""
    batch = batches.draft_backfill(rule, user_id=user.pk)
    rule.mode = EventRule.Mode.LIVE
    rule.save()
    batches.confirm(batch, sorts=[Sort.FRESH], reason="they should know", pace=pace)
    later(batch, seconds=61)
    return batch


def watching(**options):
    return make(**{"mode": "watch"} | options)


def skipped(batch):
    batches.advance()
    return batches.report(batch).skipped


# Which records


def test_those_in_the_state_are_sent_to_and_reported(boss, outbox):
    won = leads(2)
    leads(stage="new")
    rule = watching(payload={"title": {"path": "title"}})
    batch = begun(rule, boss)
    assert (batch.total, batch.sorted) == (2, {"fresh": 2})
    deliver()
    assert [each.payload for each in outbox] == [{"title": "A big one"}] * 2
    rows = Notification.objects.order_by("pk")
    assert [row.source_id for row in rows] == [str(lead.pk) for lead in won]
    assert {(row.origin, row.rule_id, row.status) for row in rows} == {
        ("backfill", rule.pk, "accepted")
    }
    batch.refresh_from_db()
    assert (batch.state, batch.queued, batch.skipped) == (State.DONE, 2, 0)
    assert batches.report(batch).accepted == 2


def test_what_fails_for_now_is_tried_again_as_if_the_change_had_just_been_made(boss):
    leads()
    batch = begun(watching(), boss)
    batches.advance()
    row = Notification.objects.get()
    assert (row.status, row.requested_by) == (Status.PENDING, None)
    assert batch.made_by == boss


def test_the_log_tells_why_and_what_held(boss):
    leads()
    begun(watching(conditions=[("title", "contains", "big")]), boss)
    batches.advance()
    why = Notification.objects.get().why
    assert (why["transition"], why["field"], why["new"]) == ("found", "stage", "won")
    assert why["conditions"] == [{"condition": "title contains 'big'", "actual": "A big one"}]


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"field": "stage", "to_values": ["won", "lost"]}, 3),
        ({"field": "stage", "to_values": ["lost"], "from_values": ["new"]}, 1),
        ({"field": "agent", "to_values": [None]}, 3),
        ({"field": "urgent", "to_values": [True]}, 0),
        ({"field": "stage", "to_values": []}, None),
        ({"trigger": "created"}, None),
        ({"trigger": "deleted"}, None),
        ({"trigger": "added", "field": "tags"}, None),
        ({"field": "nonsense", "to_values": ["won"]}, None),
        ({"model": "desk.gone"}, None),
    ],
)
def test_the_state_is_what_a_field_has_become(options, count):
    leads(2)
    leads(stage="lost")
    found = backfill_of(watching(**options))
    assert (None if found is None else found.count(100)) == count


def test_no_more_are_counted_than_asked_for(django_assert_num_queries):
    leads(3)
    found = backfill_of(watching())
    with django_assert_num_queries(1):
        assert found.count(2) == 2


@pytest.fixture
def offer(monkeypatch):
    """Have a model of the field tests offer its text to rules, for the length of a test."""

    def offer(model):
        monkeypatch.setattr(model, "chatitive_fields", ["text"], raising=False)
        registry.forget_plans()
        watch(model)
        return watching(
            model=model._meta.label_lower, field="text", to_values=["555 0100"], phone_number="text"
        )

    yield offer
    monkeypatch.undo()
    registry.forget_plans()


def test_what_the_projects_own_manager_hides_is_sent_nothing(boss, offer):
    rule = offer(Removable)
    Removable.objects.create(text="555 0100", deleted=True)
    kept, removed = (Removable.objects.create(text="555 0100") for _ in range(2))
    batch = begun(rule, boss)
    assert batch.total == 2
    removed.deleted = True
    removed.save()
    assert skipped(batch) == {"record_gone": 1}
    assert Notification.objects.get().source_id == str(kept.pk)


def test_a_record_with_a_composite_key_is_found_again(boss, offer):
    rule = offer(ByPair)
    ByPair.objects.create(tenant="a", number=1, text="555 0100")
    ByPair.objects.create(tenant="a", number=2, text="555 0100")
    batch = begun(rule, boss)
    assert skipped(batch) == {}
    assert Notification.objects.count() == batch.total == 2


def test_a_record_with_a_random_key_is_found_again(boss, offer):
    rule = offer(ByUUID)
    ByUUID.objects.create(text="555 0100")
    assert skipped(begun(rule, boss)) == {}
    assert Notification.objects.count() == 1


def test_a_child_of_two_parents_is_found_by_its_own_key(boss):
    clerk = Clerk.objects.create(nickname="Kim", phone="206-555-0100")
    rule = watching(model="desk.clerk", field="nickname", to_values=["Kim"], phone_number="phone")
    begun(rule, boss)
    assert batches.advance() == 1
    assert Notification.objects.get(origin="backfill").source_id == str(clerk.pk)


def test_the_rows_are_sorted_by_what_would_come_of_them(boss):
    fresh, told, _other = leads(2) + leads(title="small")
    leads(phone="")
    rule = make(conditions=[("title", "contains", "big")])
    told.stage = "new"
    told.save()
    told.stage = "won"
    told.save()
    rule.mode = EventRule.Mode.WATCH
    rule.save()
    batch = batches.draft_backfill(rule, user_id=boss.pk)
    assert batch.sorted == {"fresh": 1, "told": 1, "condition": 1, "no_phone": 1}
    assert batch.rows.get(sort=Sort.FRESH).source_id == str(fresh.pk)
    assert Notification.objects.count() == 1


def test_the_number_of_queries_to_sort_does_not_grow_with_the_records(
    boss, django_assert_max_num_queries
):
    rule = watching(payload={"agent": {"path": "agent.name"}})
    leads(2)
    with django_assert_max_num_queries(15) as few:
        batches.draft_backfill(rule, user_id=boss.pk)
    leads(40)
    with django_assert_max_num_queries(len(few)):
        batches.draft_backfill(rule, user_id=boss.pk)


def test_the_order_of_a_model_and_a_manager_that_joins_do_no_harm(boss, monkeypatch):
    monkeypatch.setattr(Lead._meta, "ordering", ["agent__name"])
    (lead,) = leads()
    lead.tags.add(Tag.objects.create(), Tag.objects.create())
    joined = Lead.objects.filter(tags__isnull=False)
    monkeypatch.setattr(Backfill, "_manager", lambda self: joined)
    batch = begun(watching(), boss)
    assert (batch.total, backfill_of(EventRule.objects.get()).count(10)) == (1, 1)
    assert batches.advance() == 1


def test_too_many_and_none_are_refused_in_words(boss, monkeypatch):
    rule = watching()
    with pytest.raises(NotPossible, match="No record is in this state"):
        batches.draft_backfill(rule, user_id=boss.pk)
    with pytest.raises(NotPossible, match="waits for no state"):
        batches.draft_backfill(watching(name="New", trigger="created"), user_id=boss.pk)
    monkeypatch.setattr(batches, "AT_MOST", 2)
    leads(2)
    assert batches.draft_backfill(rule, user_id=boss.pk).total == 2
    leads()
    with pytest.raises(NotPossible, match="More than 2 records are in this state"):
        batches.draft_backfill(rule, user_id=boss.pk)


def test_records_that_come_too_late_for_the_backfill_and_too_early_for_the_rule_are_counted(boss):
    leads()
    rule = watching()
    batch = batches.draft_backfill(rule, user_id=boss.pk)
    leads(2)
    rule.mode = EventRule.Mode.LIVE
    rule.save()
    batches.confirm(batch, sorts=[Sort.FRESH], reason="why", pace=60)
    assert (batch.total, batch.selection["late"]) == (1, 2)
    later(batch, seconds=61)
    batches.advance()
    assert Notification.objects.count() == 1
    rule.mode = EventRule.Mode.WATCH
    rule.save()
    assert batches.draft_backfill(rule, user_id=boss.pk).sorted == {"told": 1, "fresh": 2}


def test_a_backfill_of_a_rule_that_is_not_live_is_not_confirmed(boss):
    leads()
    rule = watching()
    batch = batches.draft_backfill(rule, user_id=boss.pk)
    with pytest.raises(NotPossible, match="isn't live"):
        batches.confirm(batch, sorts=[Sort.FRESH], reason="why", pace=60)
    batch.refresh_from_db()
    assert batch.state == State.DRAFT


# What may have changed by the turn of a record


def test_what_changed_meanwhile_is_skipped_and_counted_with_the_reason(boss):
    gone, left, unmet, mute, sent = leads(5)
    batch = begun(watching(conditions=[("title", "contains", "big")]), boss)
    gone.delete()
    Lead.objects.filter(pk=left.pk).update(stage="lost")
    Lead.objects.filter(pk=unmet.pk).update(title="small")
    mute.customer.phone = ""
    mute.customer.save()
    assert skipped(batch) == {
        "record_gone": 1,
        "other_state": 1,
        "condition_fails": 1,
        "no_subscriber": 1,
    }
    assert batches.report(batch).queued == 1
    assert Notification.objects.get(status=Status.PENDING).source_id == str(sent.pk)
    invalid = Notification.objects.get(status=Status.INVALID)
    assert (invalid.origin, invalid.source_id) == ("backfill", str(mute.pk))
    mute.customer.phone = "206-555-0100"
    mute.customer.save()
    resend(invalid, seen=version(invalid), user_id=boss.pk)


def test_a_record_that_fired_meanwhile_is_not_told_twice(boss):
    (lead,) = leads()
    batch = begun(watching(), boss)
    for stage in ("lost", "won"):
        lead.stage = stage
        lead.save()
    assert skipped(batch) == {"told_before": 1}
    assert Notification.objects.count() == 1


def test_two_backfills_tell_a_record_once(boss):
    leads(2)
    rule = watching()
    first = begun(rule, boss)
    batches.advance()
    rule.mode = EventRule.Mode.WATCH
    rule.save()
    second = batches.draft_backfill(rule, user_id=boss.pk)
    assert batches.report(first).queued == 2
    assert second.sorted == {"told": 2}


def test_the_cooldown_holds_for_people_of_several_records(boss):
    customer = CustomerFactory()
    leads(2, customer=customer)
    batch = begun(watching(cooldown=timedelta(hours=1)), boss)
    assert skipped(batch) == {"cooldown": 1}
    assert sorted(Notification.objects.values_list("status", flat=True)) == ["pending", "skipped"]


def test_once_a_record_holds_after_the_backfill(boss):
    (lead,) = leads()
    begun(watching(once="record"), boss)
    batches.advance()
    lead.refresh_from_db()
    for stage in ("lost", "won"):
        lead.stage = stage
        lead.save()
    assert list(Notification.objects.order_by("pk").values_list("status", "reason")) == [
        ("pending", ""),
        ("skipped", "once_per_record"),
    ]


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda rule: EventRule.objects.filter(pk=rule.pk).update(mode="off"), "rule_off"),
        (lambda rule: EventRule.objects.filter(pk=rule.pk).update(mode="watch"), "rule_off"),
        (lambda rule: EventRule.objects.filter(pk=rule.pk).update(name="x"), "rule_changed"),
        (lambda rule: rule.conditions.create(path="title", operator="is_set"), "rule_changed"),
        (lambda rule: rule.delete(), "rule_gone"),
    ],
)
def test_a_rule_that_is_another_by_now_ends_its_backfill(act, code, boss):
    leads(8)
    rule = watching()
    batch = begun(rule, boss, pace=ResendBatch.Pace.SLOW)
    assert batches.advance() == 5
    act(rule)
    later(batch, seconds=3)
    assert skipped(batch) == {code: 3}
    batch.refresh_from_db()
    assert (batch.state, batch.queued, batch.skipped) == (State.DONE, 5, 3)
    assert Notification.objects.count() == 5


def test_it_keeps_its_pace_and_can_be_undone_and_cancelled(boss):
    leads(12)
    batch = begun(watching(), boss, pace=ResendBatch.Pace.SLOW)
    assert batches.advance() == 5
    assert batches.advance() == 0
    later(batch, seconds=6)
    assert batches.advance() == 2
    batches.cancel(batch, user_id=boss.pk)
    later(batch, seconds=3600)
    assert batches.advance() == 0
    assert Notification.objects.count() == 7


def test_a_query_that_fails_spoils_one_record_only(boss, monkeypatch):
    from django.db import DataError

    bad = leads(3)[1]
    batch = begun(watching(conditions=[("title", "is_set", None)]), boss)

    def judged(declared, instance, **options):
        if instance.pk == bad.pk:
            raise DataError
        return original(declared, instance, **options)

    original = backfill.judged
    monkeypatch.setattr(backfill, "judged", judged)
    assert skipped(batch) == {"database": 1}
    assert Notification.objects.filter(status=Status.PENDING).count() == 2
    assert Notification.objects.get(status=Status.INVALID).source_id == str(bad.pk)


def test_an_explanation_tells_of_the_backfill_and_finds_nothing_missing(boss):
    (lead,) = leads()
    begun(watching(name="Cheer"), boss)
    batches.advance()
    found = explain(Lead, str(lead.pk), Reader())
    (event,) = found.events
    assert event.answer.startswith("It fired on ")
    assert event.gaps == ()
    assert found.recorded[0].why == "stage: Won at last already, when the rule went live"


# At the same moment


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_tell_each_record_once(settings):
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://"}, "DISPATCHER": "worker"}
    leads(40)
    batch = begun(watching(), StaffFactory())
    queued = []

    def advance():
        ready.wait()
        queued.append(batches.advance())
        connection.close()

    at_once = 1 if connection.vendor == "sqlite" else 4
    ready = threading.Barrier(at_once)
    threads = [threading.Thread(target=advance) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    later(batch, seconds=10)
    queued.append(batches.advance())
    assert sum(queued) == 40
    ids = Notification.objects.values_list("source_id", flat=True)
    assert len(ids) == len(set(ids)) == 40


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    "connection.vendor == 'sqlite'", reason="one transaction writes there at a time"
)
def test_a_record_that_someone_holds_waits_for_a_later_turn_and_nobody_waits_for_it(settings):
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://"}, "DISPATCHER": "worker"}
    lead, other = leads(2)
    batch = begun(watching(), StaffFactory())
    results = []

    def advance():
        results.append(batches.advance())
        connection.close()

    with transaction.atomic():
        Lead.objects.select_for_update().get(pk=lead.pk)
        thread = threading.Thread(target=advance)
        thread.start()
        thread.join(timeout=20)
        lead.stage = "lost"
        lead.save()
    assert results == [1]
    assert Notification.objects.get().source_id == str(other.pk)
    batch.refresh_from_db()
    assert batch.state == State.RUNNING
    later(batch, seconds=10)
    assert skipped(batch) == {"other_state": 1}


def test_old_drafts_go_like_any_other(boss):
    leads()
    batch = batches.draft_backfill(watching(), user_id=boss.pk)
    ResendBatch.objects.filter(pk=batch.pk).update(
        created_at=timezone.now() - timedelta(minutes=61)
    )
    batches.advance()
    assert not BatchRow.objects.exists()
