"""A support desk, small, with one of each thing that capture has to get right."""

from __future__ import annotations

from django.db import models

from chatitive_django import (
    Added,
    Changed,
    Constant,
    Created,
    Deleted,
    Event,
    EventManager,
    If,
    Path,
    Removed,
)


class Customer(models.Model):
    name = models.CharField(max_length=80)
    phone = models.CharField(max_length=40, blank=True)

    def __str__(self):
        return self.name


class Agent(models.Model):
    name = models.CharField(max_length=80)

    def __str__(self):
        return self.name


class Ticket(models.Model):
    """The vendor's own example."""

    class Status(models.TextChoices):
        OPEN = "Open"
        FAILED = "Failed"
        SUCCESS = "Success"

    title = models.CharField(max_length=80, default="Printer on fire")
    status = models.CharField(max_length=20, choices=Status, default=Status.OPEN)
    customer = models.ForeignKey(Customer, models.PROTECT)
    agent = models.ForeignKey(Agent, models.SET_NULL, null=True, blank=True)

    chatitive_events = [
        Event(
            "RequestSupportFeedback",
            when=Changed("status", to="Success"),
            phone_number="customer.phone",
            payload={
                "ticket_url": "get_absolute_url",
                "ticket_status": "status",
                "cs_agent_name": "agent.name",
            },
        ),
    ]
    chatitive_fields = ["status", "title", "customer.phone", "agent.name", "get_absolute_url"]

    def __str__(self):
        return f"#{self.pk} {self.title}"

    def get_absolute_url(self):
        return f"https://support.yourcompany.com/tickets/{self.pk}"


class TicketProxy(Ticket):
    class Meta:
        proxy = True


class Order(models.Model):
    """Watched in every way: creation, several fields, several events on one write, deletion."""

    number = models.IntegerField(default=0)
    state = models.CharField(max_length=20, default="new")
    total = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    phone = models.CharField(max_length=80, blank=True, default="206-555-0111")
    gift = models.BooleanField(default=False)
    notes = models.JSONField(default=dict)
    agent = models.ForeignKey(Agent, models.SET_NULL, null=True)

    chatitive_events = [
        Event("OrderCreated", when=Created(), phone_number="phone", payload={"number": "number"}),
        Event(
            "OrderShipped",
            when=Changed("state", from_=["packed", "new"], to="shipped"),
            phone_number="phone",
            payload={"number": "number"},
        ),
        Event("OrderNumbered", when=Changed("number"), phone_number="phone"),
        Event("OrderDeleted", when=Deleted(), phone_number="phone", payload={"state": "state"}),
        Event(
            "GiftSent",
            when=Changed("state", to="shipped"),
            only_if=If("gift", "equals", True),
            phone_number="phone",
        ),
        Event("OrderReassigned", when=Changed("agent"), phone_number="phone"),
        Event("NotesChanged", when=Changed("notes"), phone_number="phone"),
        Event("TotalChanged", when=Changed("total"), phone_number="phone"),
        Event(
            "OrderUrgent",
            when=Changed("state", to="urgent", on_create=True),
            phone_number="phone",
        ),
    ]
    chatitive_fields = ["number", "state", "total", "gift", "phone", "agent_id"]

    def __str__(self):
        return f"order {self.number}"


class Shape(models.Model):
    """What a payload may be made of, and all that may go wrong with it."""

    state = models.CharField(max_length=20, default="new")
    phone = models.CharField(max_length=80, blank=True, null=True, default="206-555-0122")
    sid = models.CharField(max_length=40, blank=True)
    data = models.JSONField(default=dict)
    parent = models.ForeignKey("self", models.CASCADE, null=True)

    def __str__(self):
        return f"shape {self.pk}"

    def get_state(self):
        return f"{self.state}!"

    def fails(self):
        raise RuntimeError("secret 206-555-0199")

    def queries_badly(self):
        return list(Shape.objects.raw("SELECT * FROM there_is_no_such_table"))

    def itself(self):
        return self


class Person(models.Model):
    """A concrete parent that declares."""

    nickname = models.CharField(max_length=40)
    phone = models.CharField(max_length=40, default="206-555-0133")

    chatitive_events = [
        Event("NicknameChanged", when=Changed("nickname"), phone_number="phone"),
        Event("PersonCreated", when=Created(), phone_number="phone"),
    ]
    chatitive_fields = ["nickname", "phone"]


class Job(models.Model):
    number = models.AutoField(primary_key=True)
    salary = models.IntegerField(default=0)


class Clerk(Person, Job):
    """Two concrete parents, and an event over the columns of all three tables."""

    person_ptr = models.OneToOneField(Person, models.CASCADE, parent_link=True, primary_key=True)
    job_ptr = models.OneToOneField(Job, models.CASCADE, parent_link=True)
    desk = models.CharField(max_length=20, default="A1")

    chatitive_events = [
        Event(
            "ClerkMoved",
            when=[Changed("desk"), Changed("salary"), Changed("nickname")],
            phone_number="phone",
            payload={"desk": "desk", "salary": "salary", "nick": Path("nickname", fallback="-")},
        ),
        Event("ClerkCreated", when=Created(), phone_number="phone"),
    ]


class Trackable(models.Model):
    """An abstract parent that declares."""

    step = models.IntegerField(default=0)
    phone = models.CharField(max_length=40, default="206-555-0144")

    chatitive_events = [
        Event("Stepped", when=Changed("step"), phone_number="phone"),
        Event("Arrived", when=Changed("step", to=9), phone_number="phone"),
    ]

    class Meta:
        abstract = True


class Parcel(Trackable):
    chatitive_events = [
        Event("Arrived", when=Changed("step", to=5), phone_number="phone"),
    ]


class Tag(models.Model):
    name = models.CharField(max_length=20)


class Board(models.Model):
    """Many-to-many relations, watched from both sides, one through a model of its own."""

    phone = models.CharField(max_length=40, default="206-555-0155")
    tags = models.ManyToManyField(Tag, related_name="boards")
    members = models.ManyToManyField(Agent, through="Membership")

    chatitive_events = [
        Event("Tagged", when=Added("tags"), phone_number="phone", payload={"id": "pk"}),
        Event("Untagged", when=Removed("tags"), phone_number="phone"),
        Event("Joined", when=Added("members"), phone_number="phone"),
        Event("Left", when=Removed("members"), phone_number="phone"),
    ]


class Membership(models.Model):
    board = models.ForeignKey(Board, models.CASCADE)
    agent = models.ForeignKey(Agent, models.CASCADE)
    role = models.CharField(max_length=20, default="writer")


class Item(models.Model):
    """Written in bulk."""

    code = models.CharField(max_length=20, unique=True)
    state = models.CharField(max_length=20, default="new")
    count = models.IntegerField(default=0)
    owner = models.ForeignKey(Customer, models.CASCADE, null=True)
    note = models.TextField(default="")

    objects = EventManager()

    chatitive_events = [
        Event("ItemCreated", when=Created(), phone_number=Constant("206-555-0166")),
        Event(
            "ItemSold",
            when=Changed("state", to="sold"),
            phone_number=Constant("206-555-0166"),
            payload={"code": "code", "owner": Path("owner.name", fallback="nobody")},
        ),
        Event("ItemCounted", when=Changed("count"), phone_number=Constant("206-555-0166")),
    ]
    chatitive_fields = ["code", "state", "note", "owner.phone"]


class Lead(models.Model):
    """No code declares an event for it: rules do."""

    class Stage(models.TextChoices):
        NEW = "new"
        WON = "won", "Won at last"
        LOST = "lost"

    title = models.CharField(max_length=80, default="A big one")
    stage = models.CharField(max_length=20, choices=Stage, default=Stage.NEW)
    score = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    due = models.DateField(null=True)
    urgent = models.BooleanField(default=False)
    data = models.JSONField(default=dict)
    secret = models.CharField(max_length=20, default="s3cret")
    customer = models.ForeignKey(Customer, models.PROTECT)
    agent = models.ForeignKey(Agent, models.SET_NULL, null=True)
    tags = models.ManyToManyField(Tag, related_name="leads")

    chatitive_fields = [
        "title",
        "stage",
        "score",
        "due",
        "urgent",
        "data.plan",
        "customer.phone",
        "customer.name",
        "agent.name",
        "tags",
        "get_absolute_url",
    ]

    def __str__(self):
        return self.title

    def get_absolute_url(self):
        return f"https://support.yourcompany.com/leads/{self.pk}"


class Work(models.Model):
    """What random programs write: a column of each kind, and a payload that fails on demand."""

    code = models.CharField(max_length=20, unique=True)
    state = models.CharField(max_length=20, default="new")
    step = models.IntegerField(default=0)
    weight = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    notes = models.JSONField(default=dict)
    title = models.CharField(max_length=20, blank=True)
    fault = models.CharField(max_length=20, blank=True)
    board = models.ForeignKey(Board, models.CASCADE, null=True)

    class Meta:
        abstract = True

    def __str__(self):
        return self.code

    def report(self):
        match self.fault:
            case "raises":
                raise ZeroDivisionError
            case "queries badly":
                return list(Shape.objects.raw("SELECT * FROM there_is_no_such_table"))
            case "is no JSON":
                return object()
        return self.step


def _work_event(name, when, **options):
    return Event(
        name,
        when=when,
        phone_number=Constant("206-555-0177"),
        payload={"report": "report", "board_phone": "board.phone"},
        **options,
    )


class Chore(Work):
    """Watched whole, in bulk writes too."""

    objects = EventManager()

    chatitive_events = [
        _work_event("ChoreCreated", Created()),
        _work_event("ChoreDeleted", Deleted()),
        _work_event("ChoreMoved", Changed("state")),
        _work_event("ChoreDone", Changed("state", to="done")),
        _work_event("ChoreStepped", Changed("step")),
        _work_event("ChoreWeighed", Changed("weight")),
        _work_event("ChoreNoted", Changed("notes")),
        _work_event("ChoreReassigned", Changed("board")),
    ]


class Errand(Work):
    """Watched for some transitions only, and with Django's own manager."""

    chatitive_events = [
        _work_event("ErrandUrgent", Changed("state", to="urgent", on_create=True)),
        _work_event("ErrandDone", Changed("state", from_=["new", "urgent"], to=["done", "sold"])),
        _work_event(
            "ErrandBegunOrReset",
            [Changed("step", to=0), Changed("step", from_=0)],
            only_if=If("title", "equals", "loud"),
        ),
    ]
