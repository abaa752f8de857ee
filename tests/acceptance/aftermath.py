"""The log after a storm, held against what the server received, which is the truth.

The promises are the methods of `Aftermath`, one each.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

from chatitive_django.models import Attempt, Notification
from chatitive_django.transport import NO_ANSWER
from tests.fault_server import Received

if TYPE_CHECKING:
    from tests.acceptance.storm import Storm

Status = Notification.Status
COME_AGAIN = {401, 403, 408, 425, 429, 500, 503}
"""The answers after which the same request may be sent again: it was not taken."""
NOT_TAKEN = COME_AGAIN | {404, 405, 410}
"""And those after which it is sent again where they were the channel's fault, not its own."""
IN_DOUBT = {None, 502, 504}
"""The answers that don't tell whether it was taken."""


class Aftermath:
    """The log beside what the server received; each promise is a method that fails if broken."""

    def __init__(self, storm: Storm) -> None:
        self.storm = storm
        self.rows = list(Notification.objects.order_by("id"))
        self.attempts: dict[int, list[Attempt]] = defaultdict(list)
        for attempt in Attempt.objects.order_by("id"):
            self.attempts[attempt.notification_id].append(attempt)
        self.received: dict[str, list[Received]] = defaultdict(list)
        for request in sorted(storm.server.requests, key=lambda request: request.at):
            if key := request.headers.get("idempotency-key"):
                self.received[key].append(request)

    def holds(self) -> None:
        self.nothing_is_lost()
        self.nothing_was_sent_that_is_not_in_the_log()
        self.accepted_means_received_whole()
        self.each_row_ends_as_its_answers_say()
        self.no_answer_is_noted_twice()
        self.nothing_is_repeated_without_need()
        self.subscribers_get_theirs_in_order()

    def nothing_is_lost(self) -> None:
        ends = {Status.ACCEPTED, Status.REJECTED, Status.UNKNOWN}
        assert [row for row in self.rows if row.status not in ends] == []
        assert all(row.lease_token is None and row.finished_at for row in self.rows)

    def nothing_was_sent_that_is_not_in_the_log(self) -> None:
        assert set(self.received) <= {str(row.public_id) for row in self.rows}

    def accepted_means_received_whole(self) -> None:
        for row in self.rows:
            taken = [each for each in self.of(row) if each.whole and succeeded(each)]
            assert row.status != Status.ACCEPTED or taken, self.story(row)

    def each_row_ends_as_its_answers_say(self) -> None:
        """Unless its worker was lost or slept over the answer, which only leaves it in doubt."""
        for row in self.rows:
            requests, attempts = self.of(row), self.attempts[row.pk]
            if row.pk in self.rescued | self.overslept:
                assert row.status != Status.REJECTED or is_refusal(requests[-1].answered), (
                    self.story(row)
                )
                continue
            heard, answers = self.heard(row), iter(self.answers(row))
            assert all(status in answers for status in heard), self.story(row)
            # A server on a busy machine may answer when the time for the call is over.
            assert self.unheard(row) <= self.calls_out_of_time(row), self.story(row)
            if any(200 <= status < 300 for status in heard):
                end = Status.ACCEPTED
            elif is_refusal(attempts[-1].http_status):
                end = Status.REJECTED
            else:
                gave_up = attempts[-1].http_status == 500 and attempts[-1].number >= 5
                assert attempts[-1].outcome == "may_have_arrived" or gave_up, self.story(row)
                end = Status.UNKNOWN
            assert row.status == end, self.story(row)

    def no_answer_is_noted_twice(self) -> None:
        """Not even where a worker or the database was lost while it was noted."""
        for row in self.rows:
            assert Counter(self.heard(row)) <= Counter(self.answers(row)), self.story(row)
            begun = Counter(
                each.started_at
                for each in self.attempts[row.pk]
                if each.outcome != Attempt.LEASE_RAN_OUT
            )
            assert set(begun.values()) <= {1}, self.story(row)

    def nothing_is_repeated_without_need(self) -> None:
        """With "hold" never, with "retry" no oftener than faults and lost workers left doubt."""
        for row in self.rows:
            assert row.on_ambiguous == "retry" or not self.repeated(row), self.story(row)
            if row.pk not in self.rescued:
                earlier = [request.answered for request in self.of(row)[:-1]]
                clear = sum(status not in NOT_TAKEN | IN_DOUBT for status in earlier)
                assert clear <= self.unheard(row), self.story(row)
        assert self.repeats <= self.doubts

    def subscribers_get_theirs_in_order(self) -> None:
        """Nothing arrives after a later message for the same subscriber, repeats included."""
        arrived = sorted(
            (request.at, row.pk, row.order_key)
            for row in self.rows
            if row.order_key
            for request in self.of(row)
            if request.whole
        )
        latest: dict[str, int] = {}
        for _, pk, subscriber in arrived:
            assert latest.get(subscriber, 0) <= pk, f"{pk} after {latest[subscriber]}"
            latest[subscriber] = pk

    def each_row_was_accepted_at_once(self) -> None:
        assert {row.status for row in self.rows} == {Status.ACCEPTED}
        assert len(self.storm.server.requests) == len(self.rows)

    def of(self, row: Notification) -> list[Received]:
        """The requests for a row, in the order in which they arrived."""
        return self.received[str(row.public_id)]

    def answers(self, row: Notification) -> list[int]:
        """The statuses that the server told about a row."""
        return [each.answered for each in self.of(row) if each.answered]

    def heard(self, row: Notification) -> list[int]:
        """The statuses that its attempts tell of."""
        return [each.http_status for each in self.attempts[row.pk] if each.http_status]

    def unheard(self, row: Notification) -> int:
        """How many of its answers no attempt tells of."""
        return len(self.answers(row)) - len(self.heard(row))

    def calls_out_of_time(self, row: Notification) -> int:
        """How many of its calls had no answer for as long as a call may take."""
        longest = 1000 * self.storm.call_timeout
        return sum(
            attempt.reason == NO_ANSWER and (attempt.duration_ms or 0) >= longest - 1
            for attempt in self.attempts[row.pk]
        )

    @cached_property
    def rescued(self) -> set[int]:
        """The rows that lost their worker at least once."""
        return {
            attempt.notification_id
            for attempts in self.attempts.values()
            for attempt in attempts
            if attempt.outcome == Attempt.LEASE_RAN_OUT
        }

    @cached_property
    def overslept(self) -> set[int]:
        """The rows with a call that took far longer than a call may."""
        longest = 1000 * self.storm.call_timeout + 300
        return {
            attempt.notification_id
            for attempts in self.attempts.values()
            for attempt in attempts
            if (attempt.duration_ms or 0) > longest
        }

    def repeated(self, row: Notification) -> int:
        """How often a row's request arrived again though it may have been taken before."""
        whole = [request for request in self.of(row) if request.whole]
        return sum(request.answered not in NOT_TAKEN for request in whole[:-1])

    @cached_property
    def repeats(self) -> int:
        return sum(map(self.repeated, self.rows))

    @cached_property
    def doubts(self) -> int:
        """The requests without a clear answer, and what lost or sleeping workers had in hand."""
        unclear = sum(request.answered in IN_DOUBT for request in self.storm.server.requests)
        unclear += sum(self.unheard(row) for row in self.rows if row.pk not in self.rescued)
        lost = self.storm.kills * self.storm.concurrency
        # A sleeper that holds SQLite's lock has the leases of all workers run out.
        return unclear + lost + (self.rescues if self.storm.naps else 0)

    @cached_property
    def rescues(self) -> int:
        return sum(
            attempt.outcome == Attempt.LEASE_RAN_OUT
            for attempts in self.attempts.values()
            for attempt in attempts
        )

    def story(self, row: Notification) -> str:
        """What became of a row, for a failed assertion."""
        answers = [(each.whole, each.answered) for each in self.of(row)]
        tries = [(each.number, each.outcome, each.http_status) for each in self.attempts[row.pk]]
        return f"#{row.pk} {row.status} {row.reason}: tried {tries}, received {answers}"

    def figures(self) -> dict[str, Any]:
        """What the storm measured."""
        return {
            "seed": self.storm.seed,
            "rows": len(self.rows),
            **Counter(sorted(row.status for row in self.rows)),
            "requests": len(self.storm.server.requests),
            "whole": sum(request.whole for request in self.storm.server.requests),
            "kills": self.storm.kills,
            "naps": self.storm.naps,
            "rescued": len(self.rescued),
            "repeats": self.repeats,
            "doubts": self.doubts,
        }


def succeeded(request: Received) -> bool:
    return request.answered is not None and 200 <= request.answered < 300


def is_refusal(status: int | None) -> bool:
    return status is not None and 400 <= status < 500 and status not in COME_AGAIN
