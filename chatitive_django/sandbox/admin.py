"""The sandbox's state in the admin, to look at and to change."""

from __future__ import annotations

from django.contrib import admin

from .models import (
    Account,
    Channel,
    Message,
    ReceivedEvent,
    StartCondition,
    Subscriber,
    Workflow,
    WorkflowExecution,
)


class StartConditions(admin.TabularInline):  # type: ignore[type-arg]  # takes none at run time
    """A workflow's conditions, on its own page."""

    model = StartCondition
    extra = 1


admin.site.register(Account, list_display=["name", "sid"])
admin.site.register(Channel, list_display=["name", "sid", "account"])
admin.site.register(
    Subscriber,
    list_display=["phone_number", "name", "status", "channel", "updated_at"],
    list_filter=["status", "channel"],
    search_fields=["phone_number", "sid"],
)
admin.site.register(
    Workflow,
    list_display=["name", "event_name", "channel", "is_enabled", "is_marketing"],
    list_filter=["channel", "is_enabled"],
    inlines=[StartConditions],
)
admin.site.register(
    ReceivedEvent,
    list_display=["received_at", "event_name", "outcome", "subscriber", "http_status"],
    list_filter=["outcome"],
    search_fields=["event_name", "idempotency_key"],
    raw_id_fields=["subscriber"],
)
admin.site.register(
    WorkflowExecution,
    list_display=["sid", "workflow", "subscriber", "status", "start_date"],
    list_filter=["status", "workflow"],
    raw_id_fields=["subscriber", "event"],
)
admin.site.register(
    Message,
    list_display=["sent_at", "phone_number", "body", "channel"],
    search_fields=["phone_number"],
    raw_id_fields=["execution"],
)
