"""One column of each kind that a model may have, and each kind of key and table."""

from __future__ import annotations

import uuid

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.core.files.storage import InMemoryStorage
from django.db import connection, models
from django.db.models import F
from django.db.models.functions import Now, Upper

from chatitive_django import Changed, Constant, Event

from .columns import LowerCaseField, PointField, SaltedField, ShoutedField
from .machines import Invoice, Parcel, ProtectedInvoice, Review

__all__ = ["Invoice", "Parcel", "ProtectedInvoice", "Review"]


class Depot(models.Model):
    name = models.CharField(max_length=40)
    code = models.CharField(max_length=20, unique=True)

    def __str__(self):
        return self.name


class Thing(models.Model):
    """A column of each kind, all of which may be NULL."""

    class State(models.TextChoices):
        NEW = "new"
        SOLD = "sold"

    class Level(models.IntegerChoices):
        LOW = 1
        HIGH = 2

    text = models.CharField(max_length=40, null=True)
    body = models.TextField(null=True)
    slug = models.SlugField(null=True)
    number = models.IntegerField(null=True)
    big = models.BigIntegerField(null=True)
    flag = models.BooleanField(null=True)
    ratio = models.FloatField(null=True)
    price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    day = models.DateField(null=True)
    moment = models.DateTimeField(null=True)
    hour = models.TimeField(null=True)
    length = models.DurationField(null=True)
    ident = models.UUIDField(null=True)
    data = models.JSONField(null=True)
    blob = models.BinaryField(null=True)
    file = models.FileField(null=True, storage=InMemoryStorage(), upload_to="files")
    address = models.GenericIPAddressField(null=True)
    state = models.CharField(max_length=20, choices=State, null=True)
    level = models.IntegerField(choices=Level, null=True)
    depot = models.ForeignKey(Depot, models.SET_NULL, null=True, related_name="things")
    depot_by_code = models.ForeignKey(
        Depot, models.SET_NULL, null=True, to_field="code", related_name="+"
    )
    only_depot = models.OneToOneField(Depot, models.SET_NULL, null=True, related_name="only_thing")
    renamed = models.CharField(max_length=40, null=True, db_column="Old Name")
    lower = LowerCaseField(max_length=40, null=True)
    point = PointField(null=True)
    salted = SaltedField(null=True)

    def __str__(self):
        return f"thing {self.pk}"


class ThingView(models.Model):
    """The same table once more, which Django doesn't manage."""

    text = models.CharField(max_length=40, null=True)

    class Meta:
        managed = False
        db_table = Thing._meta.db_table

    def __str__(self):
        return f"view of {self.pk}"


class Letter(models.Model):
    """Declares nothing itself."""

    text = models.CharField(max_length=40)

    def __str__(self):
        return self.text


class WatchedLetter(Letter):
    """A proxy that declares an event for the rows of its concrete model."""

    chatitive_events = [
        Event("LetterChanged", when=Changed("text"), phone_number=Constant("206-555-0100")),
    ]

    class Meta:
        proxy = True


class Stamped(models.Model):
    """Columns that a save fills by itself."""

    text = models.CharField(max_length=40)
    made = models.DateTimeField(auto_now_add=True)
    touched = models.DateTimeField(auto_now=True)
    shouted = ShoutedField(max_length=40)

    def __str__(self):
        return self.text


class Computed(models.Model):
    """Columns that the database computes from others."""

    width = models.IntegerField()
    height = models.IntegerField()
    name = models.CharField(max_length=40, default="")
    area = models.GeneratedField(
        expression=F("width") * F("height"),
        output_field=models.IntegerField(),
        db_persist=True,
    )
    shouted = models.GeneratedField(
        expression=Upper("name"), output_field=models.CharField(max_length=40), db_persist=True
    )
    if connection.vendor != "postgresql":  # which has none before version 18
        half = models.GeneratedField(
            expression=F("width") + F("height"),
            output_field=models.IntegerField(),
            db_persist=False,
        )

    def __str__(self):
        return f"{self.width} × {self.height}"


class Defaulted(models.Model):
    """Columns that the database fills when a row is inserted."""

    state = models.CharField(max_length=20, db_default="new")
    number = models.IntegerField(db_default=5)
    made = models.DateTimeField(db_default=Now())

    def __str__(self):
        return f"defaulted {self.pk}"


class ByUUID(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    text = models.CharField(max_length=40)

    def __str__(self):
        return self.text


class ByRenamedKey(models.Model):
    number = models.BigAutoField(primary_key=True, db_column="Row Number")
    text = models.CharField(max_length=40)

    def __str__(self):
        return self.text


class ByName(models.Model):
    """A natural key, which the project gives and the database doesn't."""

    name = models.CharField(max_length=40, primary_key=True)
    text = models.CharField(max_length=40)
    depot = models.ForeignKey(Depot, models.CASCADE, null=True)

    def __str__(self):
        return self.name


class ByDepot(models.Model):
    """A relation as the key."""

    depot = models.OneToOneField(Depot, models.CASCADE, primary_key=True)
    text = models.CharField(max_length=40)

    def __str__(self):
        return self.text


class ByPair(models.Model):
    """A key of two columns."""

    pk = models.CompositePrimaryKey("tenant", "number")
    tenant = models.CharField(max_length=20)
    number = models.IntegerField()
    text = models.CharField(max_length=40)
    depot = models.ForeignKey(Depot, models.CASCADE, null=True)

    def __str__(self):
        return f"{self.tenant} {self.number}"


class Kept(models.Manager):
    def get_queryset(self):
        return super().get_queryset().filter(deleted=False)


class Removable(models.Model):
    """Deleted softly, and every manager hides it then, Django's own for writes too."""

    text = models.CharField(max_length=40)
    deleted = models.BooleanField(default=False)

    objects = Kept()

    class Meta:
        base_manager_name = "objects"

    def __str__(self):
        return self.text


class SelectedOnSave(models.Model):
    text = models.CharField(max_length=40)

    class Meta:
        select_on_save = True

    def __str__(self):
        return self.text


class Ordered(models.Model):
    depot = models.ForeignKey(Depot, models.CASCADE)
    text = models.CharField(max_length=40)

    class Meta:
        order_with_respect_to = "depot"

    def __str__(self):
        return self.text


def colours():
    return [("r", "red"), ("g", "green")]


class Account(models.Model):
    """All that a declaration may name and that a path can or can't read."""

    password = models.CharField(max_length=40)
    apiToken = models.CharField(max_length=40)
    token_count = models.IntegerField(default=0)
    plan = models.CharField(
        max_length=20,
        blank=True,
        choices=[("free", "Free"), ("Paid", [("gold", "Gold"), ("silver", "Silver")])],
    )
    colour = models.CharField(max_length=1, choices=colours, null=True)
    badge = models.FileField()
    blob = models.BinaryField()
    depot = models.ForeignKey(Depot, models.CASCADE, null=True, related_name="accounts")
    depots = models.ManyToManyField(Depot, related_name="many_accounts")
    owner_type = models.ForeignKey(
        ContentType, models.CASCADE, null=True, db_constraint=False
    )  # whose table is made later, by its migrations
    owner_id = models.IntegerField(null=True)
    owner = GenericForeignKey("owner_type", "owner_id")

    def __str__(self):
        return self.plan

    @property
    def patron(self):
        return self.depot

    @staticmethod
    def motto():
        return "always"

    @classmethod
    def currency(cls):
        return "USD"

    def greeting(self, name):
        return f"Hello {name}"

    def close(self):
        self.delete()

    close.alters_data = True


if connection.vendor == "postgresql":
    from django.contrib.postgres import fields as postgres

    class PostgresThing(models.Model):
        """The columns that only PostgreSQL has."""

        tags = postgres.ArrayField(models.CharField(max_length=20), null=True)
        grid = postgres.ArrayField(postgres.ArrayField(models.IntegerField()), null=True)
        span = postgres.IntegerRangeField(null=True)
        prices = postgres.DecimalRangeField(null=True)
        booked = postgres.DateTimeRangeField(null=True)

        def __str__(self):
            return f"postgres thing {self.pk}"

        @classmethod
        def check(cls, **kwargs):
            """Without Django's advice to install django.contrib.postgres, which adds lookups."""
            return []
