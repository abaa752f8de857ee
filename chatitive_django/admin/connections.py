"""What tests a channel's connection, from whichever page a person does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from .. import doctor
from ..findings import Level
from ..models import Channel

if TYPE_CHECKING:
    from django.contrib import admin


def is_reached(owner: admin.ModelAdmin[Any], request: HttpRequest, alias: str) -> bool:
    """Connect to a channel's API without sending anything; how it went is told and kept."""
    finding = doctor.test_connection(alias)
    reached = finding.level is Level.OK
    level = messages.SUCCESS if reached else messages.ERROR
    messages.add_message(request, level, f"{finding.text} {finding.advice}".rstrip())
    text = _("Tested the connection: %(result)s") % {"result": finding.text}
    owner.log_change(request, cast(Any, Channel(alias=alias)), text)
    return reached


def outside_transactions(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A view around which ATOMIC_REQUESTS opens no transaction, on any database."""

    def called(*args: Any, **kwargs: Any) -> HttpResponse:
        return view(*args, **kwargs)

    for alias in connections:
        transaction.non_atomic_requests(using=alias)(called)
    return called
