from __future__ import annotations

import pytest

from chatitive_django.breaker import SUBSCRIBERS_REFUSED, TRANSPORT_FAILURES, Breaker, Verdict
from chatitive_django.outcomes import Outcome, Result

ACCEPTED = Result(outcome=Outcome.ACCEPTED, http_status=202)
REFUSED_NUMBER = Result(outcome=Outcome.REJECTED, http_status=400)
NO_CONNECTION = Result(outcome=Outcome.NOT_ARRIVED, reason="connection_refused")
NO_ANSWER = Result(outcome=Outcome.MAY_HAVE_ARRIVED, reason="no_answer")
UNAVAILABLE = Result(outcome=Outcome.TURNED_AWAY, http_status=503)


def no_such_address(status=404):
    return Result(outcome=Outcome.REJECTED, http_status=status)


def verdicts(*results):
    breaker = Breaker()
    return [breaker.judge(result, f"subscriber {n}") for n, result in enumerate(results)]


def test_a_configuration_error_breaks_the_channel_at_once():
    assert verdicts(Result(outcome=Outcome.CONFIGURATION, http_status=401)) == [Verdict.BROKEN]


@pytest.mark.parametrize("failure", [NO_CONNECTION, NO_ANSWER])
def test_so_many_transport_failures_in_a_row_break_it(failure):
    row = [failure] * TRANSPORT_FAILURES
    assert verdicts(*row) == [Verdict.DOUBTFUL] * (TRANSPORT_FAILURES - 1) + [Verdict.BROKEN]


@pytest.mark.parametrize("answer", [ACCEPTED, REFUSED_NUMBER, UNAVAILABLE, no_such_address()])
def test_an_answer_ends_a_row_of_transport_failures(answer):
    row = [NO_CONNECTION] * (TRANSPORT_FAILURES - 1)
    assert Verdict.BROKEN not in verdicts(*row, answer, *row)


def test_an_address_refused_for_several_subscribers_breaks_it():
    assert verdicts(no_such_address(404), no_such_address(405), no_such_address(410)) == [
        Verdict.DOUBTFUL,
        Verdict.DOUBTFUL,
        Verdict.BROKEN,
    ]


def test_an_address_refused_for_one_subscriber_again_and_again_does_not():
    breaker = Breaker()
    for _ in range(SUBSCRIBERS_REFUSED * 3):
        assert breaker.judge(no_such_address(), "the same") is Verdict.DOUBTFUL


def test_a_good_answer_shows_that_the_address_is_right():
    assert verdicts(no_such_address(), no_such_address(), ACCEPTED, no_such_address())[2:] == [
        Verdict.WORKS,
        Verdict.DOUBTFUL,
    ]
