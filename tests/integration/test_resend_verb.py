"""`resend`: by the same road as in the admin, and no more than is safe."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import CommandError
from django.utils import timezone

from chatitive_django.management.verbs.base import since
from chatitive_django.models import Notification, ResendBatch
from tests.factories import NotificationFactory
from tests.shell import run

pytestmark = pytest.mark.django_db

Status = Notification.Status


def statuses():
    return list(Notification.objects.order_by("pk").values_list("status", flat=True))


def test_a_dry_run_sorts_and_writes_nothing(django_assert_max_num_queries):
    for status in (Status.REJECTED, Status.REJECTED, Status.UNKNOWN, Status.ACCEPTED):
        NotificationFactory(status=status)
    code, text = run("resend", "--since", "3d", "--dry-run")
    assert code == 0
    assert text.splitlines() == [
        "resend 2: Not sent, as far as is known",
        "leave 1: May have arrived already (--also doubtful)",
        "Nothing was done.",
    ]
    assert not ResendBatch.objects.exists()
    assert Status.PENDING not in statuses()


def test_a_filter_becomes_a_bulk_resend_that_can_be_undone():
    for status in (Status.REJECTED, Status.EXPIRED, Status.UNKNOWN, Status.ACCEPTED):
        NotificationFactory(status=status)
    code, text = run("resend", "--event", "RequestSupportFeedback", "--reason", "API was down")
    batch = ResendBatch.objects.get()
    assert (code, batch.state, batch.total, batch.pace) == (0, "waiting", 2, 60)
    assert (batch.reason, batch.made_by) == ("API was down", None)
    assert f"Bulk resend #{batch.pk} queues 2 of them, 60 a minute" in text
    assert Status.PENDING not in statuses()


def test_what_may_have_arrived_is_sent_only_when_asked_for():
    NotificationFactory.create_batch(2, status=Status.UNKNOWN)
    run("resend", "--status", "unknown")
    assert not ResendBatch.objects.exists()
    run("resend", "--status", "unknown", "--also", "doubtful", "--pace", "300")
    assert (ResendBatch.objects.get().total, ResendBatch.objects.get().pace) == (2, 300)


def test_one_is_queued_at_once_by_its_number_or_public_id():
    rows = NotificationFactory.create_batch(2, status=Status.REJECTED)
    assert run("resend", rows[0].pk) == (
        0,
        f"resend 1: Not sent, as far as is known\nNotification {rows[0].pk} is queued.\n",
    )
    run("resend", rows[1].public_id)
    assert statuses() == [Status.PENDING, Status.PENDING]
    assert not ResendBatch.objects.exists()


def test_what_was_accepted_is_never_sent_again():
    row = NotificationFactory(status=Status.ACCEPTED)
    code, text = run("resend", row.pk)
    assert (code, statuses()) == (1, [Status.ACCEPTED])
    assert text == "leave 1: Already accepted, or resent as a new notification\n"
    for arguments in (["--status", "accepted"], [str(row.pk), "--also", "accepted"]):
        with pytest.raises(CommandError, match="invalid choice: 'accepted'"):
            run("resend", *arguments)


def test_since_is_when_it_ended():
    NotificationFactory(status=Status.REJECTED, finished_at=timezone.now() - timedelta(hours=5))
    assert run("resend", "--since", "4h") == (0, "Nothing matches.\n")
    assert "resend 1" in run("resend", "--since", "6h", "--dry-run")[1]
    yesterday = (timezone.localtime() - timedelta(days=1)).date().isoformat()
    assert "resend 1" in run("resend", "--since", yesterday, "--dry-run")[1]


@pytest.mark.parametrize("moment", ["2026-03-31", "2026-03-31T18:00", "2026-03-31T18:00+02:00"])
@pytest.mark.parametrize("use_tz", [True, False])
def test_since_has_a_zone_where_the_database_keeps_one(settings, moment, use_tz):
    settings.USE_TZ = use_tz
    assert timezone.is_aware(since(moment)) == use_tz


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Say which: ids, or a filter"),
        (["5", "--status", "rejected"], "Say which: ids, or a filter"),
        (["5"], "The log has no 5."),
        (["five"], "'five' is no notification's id"),
        (["--since", "yesterday"], "neither a time such as"),
        (["--since", "2026-02-31"], "neither a time such as"),
        (["--since", "800000d"], "within 100 years"),
        (["--since", "0001-01-01"], "within 100 years"),
        (["--since", "9999-12-31T23:59"], "within 100 years"),
        (["--since", "1h", "--reason", "x" * 401], "it has 401 characters, and may have 400"),
        (["--status", "pending"], "invalid choice: 'pending'"),
    ],
)
def test_misuse_says_what_was_meant(arguments, told):
    with pytest.raises(CommandError) as error:
        run("resend", *arguments)
    assert told in str(error.value)


def test_what_is_too_old_is_refused():
    NotificationFactory(
        status=Status.REJECTED,
        created_at=timezone.now() - timedelta(days=15),
        finished_at=timezone.now(),
    )
    with pytest.raises(CommandError, match="more than 14 days ago") as error:
        run("resend", "--since", "1h")
    assert error.value.returncode == 2
