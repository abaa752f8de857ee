"""Which notifications a person should look at."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q

from .channels import held
from .dbtime import DatabaseNow
from .health import OVERDUE, lost
from .models import Notification

Status = Notification.Status


def attention() -> Q:
    """The notifications that a person should look at, as a condition on a query of the log.

    They may have arrived, were rejected, could not be built and weren't resent since, or stand
    still though nothing holds their channel up.
    """
    overdue = Q(status=Status.PENDING, available_at__lte=DatabaseNow(-OVERDUE))
    resent = Exists(Notification.objects.filter(resend_of=OuterRef("pk")))
    waits = Q(status__in=[Status.UNKNOWN, Status.REJECTED]) | lost()
    waits |= Q(~resent, status=Status.INVALID)
    waits |= overdue & ~Q(channel__in=held().values("alias"))
    # The statuses once more, so that the index which begins with the status is of use.
    statuses = {Status.UNKNOWN, Status.REJECTED, Status.INVALID, Status.SENDING, Status.PENDING}
    return Q(status__in=sorted(statuses)) & waits
