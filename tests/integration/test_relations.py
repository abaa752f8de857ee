"""Many-to-many relations that gain and lose objects, from whichever side."""

from __future__ import annotations

import pytest

from chatitive_django import muted
from chatitive_django.models import Notification
from tests.desk.models import Agent, Board, Membership, Tag

pytestmark = pytest.mark.django_db


def recorded():
    """The events with their record and the related keys that came or went."""
    return [
        (row.event_name, int(row.source_id), row.why["new"] or row.why["old"])
        for row in Notification.objects.order_by("id")
    ]


@pytest.fixture
def board():
    return Board.objects.create()


@pytest.fixture
def tags():
    return [Tag.objects.create(name=name) for name in "abc"]


def test_an_added_object_is_recorded_once(board, tags):
    board.tags.add(tags[0])
    board.tags.add(tags[0])
    assert recorded() == [("Tagged", board.pk, [tags[0].pk])]
    row = Notification.objects.get()
    assert row.payload == {"id": board.pk}
    assert row.why == {
        "transition": "added",
        "field": "tags",
        "old": None,
        "new": [tags[0].pk],
        "conditions": [],
    }


def test_only_what_is_new_counts_as_added(board, tags):
    board.tags.add(tags[0])
    board.tags.add(*tags)
    assert recorded()[1:] == [("Tagged", board.pk, [tags[1].pk, tags[2].pk])]


def test_only_what_was_there_counts_as_removed(board, tags):
    board.tags.add(tags[0])
    board.tags.remove(*tags)
    board.tags.remove(*tags)
    assert recorded()[1:] == [("Untagged", board.pk, [tags[0].pk])]


def test_clear_removes_what_was_there(board, tags):
    board.tags.add(*tags)
    board.tags.clear()
    board.tags.clear()
    assert recorded()[1:] == [("Untagged", board.pk, [tag.pk for tag in tags])]


def test_set_adds_and_removes_the_difference(board, tags):
    board.tags.set(tags[:2])
    board.tags.set(tags[1:])
    assert recorded()[1:] == [
        ("Untagged", board.pk, [tags[0].pk]),
        ("Tagged", board.pk, [tags[2].pk]),
    ]


def test_set_with_clear_removes_all_and_adds_anew(board, tags):
    board.tags.set(tags[:1])
    board.tags.set(tags[:1], clear=True)
    assert [event for event, *_ in recorded()] == ["Tagged", "Untagged", "Tagged"]


def test_from_the_other_side_each_record_has_its_event(tags):
    boards = [Board.objects.create(), Board.objects.create()]
    tag = tags[0]
    boards[0].tags.add(tag)
    tag.boards.add(*boards)
    assert recorded()[1:] == [("Tagged", boards[1].pk, [tag.pk])]
    tag.boards.remove(boards[0])
    assert recorded()[2:] == [("Untagged", boards[0].pk, [tag.pk])]
    tag.boards.clear()
    assert recorded()[3:] == [("Untagged", boards[1].pk, [tag.pk])]


def test_a_through_model_of_ones_own_works_by_the_same_verbs(board):
    pam, kim = Agent.objects.create(name="Pam"), Agent.objects.create(name="Kim")
    board.members.add(pam, through_defaults={"role": "reader"})
    board.members.set([kim])
    pam.board_set.add(board)
    assert recorded() == [
        ("Joined", board.pk, [pam.pk]),
        ("Left", board.pk, [pam.pk]),
        ("Joined", board.pk, [kim.pk]),
        ("Joined", board.pk, [pam.pk]),
    ]


def test_a_row_of_the_through_model_written_by_itself_is_not_seen(board):
    """That is a row like any other: its model may declare events of its own."""
    Membership.objects.create(board=board, agent=Agent.objects.create(name="Pam"))
    assert recorded() == []


def test_muted_relations_record_nothing(board, tags):
    with muted():
        board.tags.add(*tags)
    assert recorded() == []


def test_many_records_from_the_other_side_take_queries_by_the_portion(
    tags, django_assert_max_num_queries
):
    boards = Board.objects.bulk_create([Board() for _ in range(300)])
    with django_assert_max_num_queries(40):
        tags[0].boards.add(*boards)
    assert len(recorded()) == 300
