"""What each day had, by status and channel, and the bars that show it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from chatitive_django import tallies
from chatitive_django.admin.bars import bars
from chatitive_django.models import Notification
from chatitive_django.tallies import tally
from tests.factories import NotificationFactory

pytestmark = pytest.mark.django_db

Status = Notification.Status


def ago(days):
    return timezone.now() - timedelta(days=days)


def test_days_are_counted_by_status_the_oldest_first(django_assert_num_queries):
    NotificationFactory.create_batch(2, status=Status.ACCEPTED, created_at=timezone.now())
    NotificationFactory(status=Status.REJECTED, created_at=ago(3))
    NotificationFactory(status=Status.ACCEPTED, created_at=ago(9))
    with django_assert_num_queries(7):
        found = tally()
    assert [day.counts for day in found.days] == [
        {},
        {},
        {},
        {Status.REJECTED: 1},
        {},
        {},
        {Status.ACCEPTED: 2},
    ]
    assert found.days[-1].date == timezone.localdate()


def test_a_day_is_counted_once_and_again_when_its_time_is_over(django_assert_num_queries):
    tally()
    NotificationFactory(status=Status.ACCEPTED, created_at=timezone.now())
    with django_assert_num_queries(0):
        assert tally().days[-1].total == 0
    cache.clear()
    assert tally().days[-1].total == 1


def test_a_channel_has_days_of_its_own():
    NotificationFactory(channel="offers", status=Status.ACCEPTED, created_at=timezone.now())
    NotificationFactory(status=Status.REJECTED, created_at=timezone.now())
    found = tally()
    assert found.of("offers")[-1].counts == {Status.ACCEPTED: 1}
    assert found.of("default")[-1].counts == {Status.REJECTED: 1}
    assert [day.total for day in found.of("nothing")] == [0] * 7


def test_a_day_begins_at_midnight_of_the_reader():
    night = timezone.make_aware(datetime.combine(timezone.localdate(), datetime.min.time()))
    NotificationFactory(status=Status.ACCEPTED, created_at=night)
    NotificationFactory(status=Status.SKIPPED, created_at=night - timedelta(microseconds=1))
    assert [day.counts for day in tally().days[-2:]] == [
        {Status.SKIPPED: 1},
        {Status.ACCEPTED: 1},
    ]
    with timezone.override("UTC"):  # whose day began hours earlier
        [day] = [day for day in tally().days if day.date == night.date()]
    assert day.counts == {Status.SKIPPED: 1, Status.ACCEPTED: 1}


def test_of_many_rows_only_so_many_are_counted_and_it_says_so(monkeypatch):
    monkeypatch.setattr(tallies, "AT_MOST", 3)
    NotificationFactory.create_batch(5, status=Status.ACCEPTED, created_at=timezone.now())
    NotificationFactory(status=Status.REJECTED, created_at=timezone.now())
    today = tally().days[-1]
    assert (today.counts, today.cut) == (
        {Status.ACCEPTED: 3, Status.REJECTED: 1},
        {Status.ACCEPTED},
    )
    html = bars(tally().days, "Seven days")
    assert "3+ accepted" in html
    assert ">4+</text>" in html


def test_the_bars_are_told_in_words_and_as_a_table():
    NotificationFactory.create_batch(98, status=Status.ACCEPTED, created_at=timezone.now())
    NotificationFactory(status=Status.REJECTED, created_at=timezone.now())
    html = bars(tally().days, "Seven <days>")
    assert 'role="img"' in html
    assert "<title>Seven &lt;days&gt;: " in html
    assert "98 accepted, 1 rejected</title>" in html
    assert "<td>98</td><td>1</td>" in html
    assert "style=" not in html


def test_the_bars_stay_within_their_drawing():
    for status in Status:
        NotificationFactory(status=status, created_at=timezone.now())
    NotificationFactory.create_batch(300, status=Status.ACCEPTED, created_at=timezone.now())
    html = bars(tally().days, "Seven days")
    tops = [
        float(y)
        for y in re.findall(
            r'<rect class="chatitive-\w+ chatitive-is-\w+" x="[\d.]+" y="([\d.]+)"', html
        )
    ]
    assert min(tops) >= 18
    assert len(tops) == len(Status)


def test_days_without_anything_are_drawn_too():
    html = bars(tally().days, "Seven days")
    assert html.count("nothing") == 14
    assert "<rect" not in html
