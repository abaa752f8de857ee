"""Random programs in several processes at once on the same few records.

Whatever the programs do, the log of each record is a chain: every transition begins with the value
with which the one before it ended, and the last ends with the value that is stored.
"""

from __future__ import annotations

import pytest

from chatitive_django.models import Notification
from tests.acceptance.processes import SECONDS_TO_END, python
from tests.desk.models import Item

pytestmark = pytest.mark.django_db(transaction=True)

PROGRAM = """
    import random
    from django.db import OperationalError, transaction
    from django.db.models import F
    from chatitive_django import capture_changes

    seed, pks = int(sys.argv[1]), [int(pk) for pk in sys.argv[2:]]
    random.seed(seed)
    stale = {pk: Item.objects.get(pk=pk) for pk in pks}

    def save(item, **values):
        for name, value in values.items():
            setattr(item, name, value)
        item.save(update_fields=list(values) if random.random() < 0.5 else None)

    def step():
        pk, count = random.choice(pks), random.randrange(4)
        match random.randrange(8):
            case 0:
                save(Item.objects.get(pk=pk), count=count)
            case 1:
                save(stale[pk], count=count)
            case 2:
                save(Item.objects.get(pk=pk), count=F("count") + 1)
            case 3:
                Item.objects.filter(pk__in=pks[:2]).update(count=F("count") * 2 % 7)
            case 4:
                items = list(Item.objects.filter(pk__in=pks).order_by("pk"))
                for item in items:
                    item.count = count
                Item.objects.bulk_update(items, ["count"])
            case 5:
                with capture_changes(Item.objects.filter(pk=pk)):
                    save(Item.objects.get(pk=pk), count=count)
                    Item.objects.filter(pk=pk).update(count=F("count") + 1)
            case 6:
                with transaction.atomic():
                    save(Item.objects.select_for_update().get(pk=pk), count=count)
                    save(Item.objects.get(pk=pk), count=count + 1)
            case 7:
                try:
                    with transaction.atomic():
                        save(Item.objects.get(pk=pk), count=count)
                        raise ZeroDivisionError
                except ZeroDivisionError:
                    pass

    for _ in range(60):
        for _ in range(20):
            try:
                step()
                break
            except OperationalError:
                continue  # a deadlock or a lock that took too long, as any program may meet
        else:
            raise SystemExit("locked out twenty times")
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_the_log_of_each_record_is_a_chain_whatever_runs_at_once(seed):
    pks = [Item.objects.create(code=f"i{n}").pk for n in range(3)]
    running = [python(PROGRAM, seed * 10 + n, *pks) for n in range(3)]
    for process in running:
        output = process.communicate(timeout=SECONDS_TO_END)
        assert process.returncode == 0, output
    for pk in pks:
        rows = Notification.objects.filter(event_name="ItemCounted", source_id=str(pk))
        steps = [(row.why["old"], row.why["new"]) for row in rows.order_by("id")]
        assert len(steps) > 5
        assert all(old != new for old, new in steps)
        ends = [0, *(new for _, new in steps)]
        assert [old for old, _ in steps] == ends[:-1]
        assert ends[-1] == Item.objects.get(pk=pk).count
    assert Notification.objects.filter(event_name="ItemCreated").count() == len(pks)
