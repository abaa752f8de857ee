"""Storms of killed workers, of racing workers, and of a server in every bad mood."""

from __future__ import annotations

import pytest

from tests.acceptance.storm import SIZE, Storm, Writers, unhurried

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("on_ambiguous", ["hold", "retry"])
def test_workers_killed_at_random_lose_nothing_and_repeat_nothing(nursery, tell, on_ambiguous):
    kills = round(110 * SIZE)
    writers = Writers(tickets=kills * 2, pause=0.03)
    with Storm(nursery, unhurried(0.02), on_ambiguous=on_ambiguous) as storm:
        workers = [storm.start_worker() for _ in range(3)]
        for _ in range(kills):
            if storm.unfinished() < 100:
                storm.record(100)
            storm.random_pause(0.2)
            storm.kill(workers.pop(storm.random.randrange(3)))
            workers.append(storm.start_worker())
        for worker in workers:
            storm.kill(worker)
        writers.end()
        storm.calm()
    aftermath = storm.aftermath()
    tell(aftermath.figures())
    aftermath.holds()
    writers.kept_what_they_committed()


def test_eight_workers_race_and_each_subscriber_gets_theirs_in_order(nursery, tell):
    with Storm(nursery, unhurried(0.02), LEASE=60) as storm:
        for _ in range(round(10 * SIZE)):
            storm.record(100, subscribers=12)
            storm.record(100, ordered=False)
        workers = [storm.start_worker() for _ in range(8)]
        storm.wait_for_calm()
        storm.stop(*workers)
    aftermath = storm.aftermath()
    tell(aftermath.figures())
    aftermath.holds()
    aftermath.each_row_was_accepted_at_once()
