"""The pages: an inbox with one thread a phone number, and what happened to each event and why."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec

from django.core.paginator import Paginator
from django.db.models import Count, Max
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from chatitive_django.subscribers import normalise

from .checks import is_allowed
from .models import Channel, Message, ReceivedEvent, Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet

NEWEST_THREADS = 200
NEWEST_TEXTS = 500
EVENTS_A_PAGE = 30

P = ParamSpec("P")


def _page(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """A page of the sandbox: found only where the sandbox is allowed, and never cached."""

    @never_cache
    @require_safe
    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not is_allowed():
            raise Http404("The sandbox's pages need DEBUG or CHATITIVE_SANDBOX_ALLOWED.")
        return view(request, *args, **kwargs)

    return guarded


@_page
def inbox(request: HttpRequest) -> HttpResponse:
    """The phone numbers that got texts, the latest first."""
    newest = (
        Message.objects.order_by()
        .values("phone_number")
        .annotate(last=Max("id"), count=Count("id"))
        .order_by("-last")[:NEWEST_THREADS]
    )
    counts = {row["last"]: row["count"] for row in newest}
    last = Message.objects.filter(id__in=list(counts)).select_related("execution__subscriber")
    threads = [
        {
            "phone_number": message.phone_number,
            "name": message.execution.subscriber.name,
            "last": message,
            "count": counts[message.pk],
        }
        for message in last.order_by("-id")
    ]
    context: dict[str, object] = {"section": "inbox", "threads": threads, **_pace(request)}
    if not threads:
        context["events_count"] = ReceivedEvent.objects.count()
        context["channel"] = channel = Channel.objects.select_related("account").first()
        if channel is not None:
            path = reverse("chatitive_sandbox:notify", args=[channel.sid])
            context["notify_url"] = request.build_absolute_uri(path)
            context["workflow"] = channel.workflows.order_by("id").first()
            context["subscriber"] = channel.subscribers.order_by("id").first()
    return render(request, "chatitive_sandbox/inbox.html", context)


@_page
def thread(request: HttpRequest, phone_number: str) -> HttpResponse:
    """The texts that one phone number got, the latest last."""
    number = normalise(phone_number)
    subscribers = list(Subscriber.objects.filter(phone_number=number).select_related("channel"))
    texts = list(
        Message.objects.filter(phone_number=number)
        .select_related("channel", "execution__workflow", "execution__event")
        .order_by("-id")[:NEWEST_TEXTS]
    )
    if not subscribers and not texts:
        raise Http404("Nobody has this phone number.")
    context = {
        "section": "inbox",
        "phone_number": number,
        "name": next((subscriber.name for subscriber in subscribers if subscriber.name), ""),
        "subscribers": subscribers,
        "texts": texts[::-1],
        **_pace(request),
    }
    return render(request, "chatitive_sandbox/thread.html", context)


@_page
def events(request: HttpRequest) -> HttpResponse:
    """Each event that was received, the latest first."""
    page = Paginator(_events(), EVENTS_A_PAGE).get_page(request.GET.get("page"))
    context = {"section": "events", "page": page}
    return render(request, "chatitive_sandbox/events.html", context)


@_page
def event(request: HttpRequest, pk: int) -> HttpResponse:
    """One event."""
    found = get_object_or_404(_events(), pk=pk)
    context = {"section": "events", "event": found}
    return render(request, "chatitive_sandbox/event.html", context)


def _events() -> QuerySet[ReceivedEvent]:
    return ReceivedEvent.objects.select_related("channel", "subscriber").prefetch_related(
        "executions__messages"
    )


def _pace(request: HttpRequest) -> dict[str, bool]:
    """Whether the page loads itself again; `?live=no` stops it."""
    return {"is_live": request.GET.get("live") != "no"}
