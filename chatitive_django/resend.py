"""What people may do to a notification: send it again, build it anew, cancel it.

Nothing here sends: rows are queued, and each change names the status it was decided on, so that
two people or a double click can't send twice.
"""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import DatabaseError, transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from .capture.compose import compose
from .capture.record import write
from .conf import settings
from .dbtime import DatabaseNow, become_writer
from .exceptions import ChatitiveError
from .models import Notification, log_alias
from .registry import declared_by_key

Status = Notification.Status


class NotPossible(ChatitiveError):
    """What was asked for can't be done, in words for the person who asked."""


def _rows() -> QuerySet[Notification]:
    return Notification.objects.using(log_alias())
