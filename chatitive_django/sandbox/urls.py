"""The sandbox's addresses, for `path("sandbox/", include("chatitive_django.sandbox.urls"))`."""

from __future__ import annotations

from django.urls import path

from . import api, pages

app_name = "chatitive_sandbox"

urlpatterns = [
    path(
        "v2/account/channels/<str:channel_sid>/subscribers/events/notify",
        api.notify,
        name="notify",
    ),
    path("inbox/", pages.inbox, name="inbox"),
    # A number that stayed as it was typed may hold a slash.
    path("inbox/<path:phone_number>/", pages.thread, name="thread"),
    path("events/", pages.events, name="events"),
    path("events/<int:pk>/", pages.event, name="event"),
]
