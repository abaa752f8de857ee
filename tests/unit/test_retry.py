from __future__ import annotations

from datetime import timedelta

import pytest

from chatitive_django.outcomes import Outcome, Result
from chatitive_django.retry import LONGEST_DELAY, backoff, decide


def decision(outcome, *, http_status=None, retry_after=None, **circumstances):
    usual = {
        "attempts": 1,
        "server_errors": 0,
        "on_ambiguous": "hold",
        "by_person": False,
        "channel_broken": False,
        "jitter": 0.5,
    }
    result = Result(outcome=outcome, http_status=http_status, retry_after=retry_after)
    return decide(result, **usual | circumstances)


def decided(outcome, **circumstances):
    return decision(outcome, **circumstances).status


@pytest.mark.parametrize(
    ("outcome", "hold", "retry", "by_person"),
    [
        (Outcome.ACCEPTED, "accepted", "accepted", "accepted"),
        (Outcome.REJECTED, "rejected", "rejected", "rejected"),
        (Outcome.TURNED_AWAY, "pending", "pending", "expired"),
        (Outcome.NOT_ARRIVED, "pending", "pending", "expired"),
        (Outcome.CONFIGURATION, "pending", "pending", "pending"),
        (Outcome.MAY_HAVE_ARRIVED, "unknown", "pending", "unknown"),
        (Outcome.NOT_SENT, "skipped", "skipped", "skipped"),
    ],
)
def test_each_outcome_is_decided_by_policy_and_by_who_asked(outcome, hold, retry, by_person):
    assert decided(outcome) == hold
    assert decided(outcome, on_ambiguous="retry") == retry
    assert decided(outcome, by_person=True) == by_person
    assert decided(outcome, by_person=True, on_ambiguous="retry") == by_person


@pytest.mark.parametrize("server_errors", [1, 4, 5, 50])
def test_internal_errors_are_retried_five_times_and_then_held(server_errors):
    expected = "pending" if server_errors < 5 else "unknown"
    circumstances = {"http_status": 500, "server_errors": server_errors}
    assert decided(Outcome.TURNED_AWAY, **circumstances, attempts=50) == expected
    assert decided(Outcome.TURNED_AWAY, http_status=503, attempts=50) == "pending"


@pytest.mark.parametrize(
    ("attempts", "shortest", "longest"),
    [(1, 2.5, 5), (2, 7.5, 15), (3, 22.5, 45), (6, 607.5, 1215), (7, 900, 1800), (900, 900, 1800)],
)
def test_the_wait_grows_to_a_cap_and_keeps_its_jitter_there(attempts, shortest, longest):
    assert backoff(attempts, retry_after=None, jitter=0) == timedelta(seconds=shortest)
    almost = backoff(attempts, retry_after=None, jitter=1)
    assert almost == timedelta(seconds=longest) <= LONGEST_DELAY


def test_the_wait_is_never_shorter_than_retry_after():
    assert backoff(1, retry_after=3600, jitter=0) == timedelta(hours=1)
    assert backoff(9, retry_after=1, jitter=0) == timedelta(minutes=15)


@pytest.mark.parametrize("by_person", [False, True])
def test_what_the_channel_failed_at_costs_the_message_no_attempt(by_person):
    refused = decision(Outcome.CONFIGURATION, attempts=7, by_person=by_person)
    assert (refused.status, refused.counts) == ("pending", False)
    address = decision(
        Outcome.REJECTED, http_status=404, channel_broken=True, by_person=by_person, attempts=7
    )
    assert (address.status, address.counts) == ("pending", False)
    network = decision(Outcome.NOT_ARRIVED, channel_broken=True, by_person=by_person, attempts=7)
    assert (network.status, network.counts) == ("pending", False)
    first = backoff(1, retry_after=None, jitter=0.5)
    assert refused.delay == address.delay == network.delay == first
    assert decision(Outcome.REJECTED, http_status=404).counts
    assert decision(Outcome.NOT_ARRIVED).counts


def test_too_many_requests_slow_the_channel_and_cost_no_attempt():
    slowed = decision(Outcome.TURNED_AWAY, http_status=429, retry_after=90, attempts=7)
    assert (slowed.status, slowed.counts) == ("pending", False)
    assert slowed.slows == slowed.delay == timedelta(seconds=90)
    assert decision(Outcome.TURNED_AWAY, http_status=429).slows >= timedelta(seconds=2.5)
    assert decision(Outcome.TURNED_AWAY, http_status=503, retry_after=90).slows is None
