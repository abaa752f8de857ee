"""Fields of a project's own, each with another way to store something else than it was given."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from django.db import models


class LowerCaseField(models.CharField):
    """Its column holds lower case, whatever is assigned; the instance keeps what it was given."""

    def get_prep_value(self, value):
        value = super().get_prep_value(value)
        return value if value is None else value.lower()


class Point(NamedTuple):
    x: int
    y: int


class PointField(models.CharField):
    """A pair of numbers, in a column of text."""

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "max_length": 40})

    def to_python(self, value):
        if value is None or isinstance(value, Point):
            return value
        return Point(*map(int, value.split(",")))

    def from_db_value(self, value, expression, connection):
        return self.to_python(value)

    def get_prep_value(self, value):
        return value if value is None else "{},{}".format(*self.to_python(value))


class SaltedField(models.TextField):
    """Stored otherwise at each write, as an encrypted field is, and read as it was given."""

    def get_prep_value(self, value):
        return value if value is None else f"{secrets.token_hex(4)}:{value}"

    def from_db_value(self, value, expression, connection):
        return value if value is None else value.partition(":")[2]


class ShoutedField(models.CharField):
    """Written by its own `pre_save` from another field, and never set on the instance."""

    def pre_save(self, model_instance, add):
        return model_instance.text.upper()
