"""What was tried, oldest first, as a table on a notification's page; nobody adds to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..models import Attempt, Notification
from ..reasons import sentence
from .badges import noted, outcome_badge
from .moments import moment

if TYPE_CHECKING:
    _AttemptInline = admin.TabularInline[Attempt, Notification]
else:  # Django's own classes take no type arguments when they run
    _AttemptInline = admin.TabularInline


class AttemptInline(_AttemptInline):
    """One line a try: when, asked for by whom, how it ended and how long it took."""

    model = Attempt
    extra = 0
    can_delete = False
    template = "admin/chatitive_django/notification/attempts.html"
    readonly_fields = ("number", "when", "who_asked", "result", "took", "response")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        shown = ["number", "when", "result", "took", "who_asked"]
        if request.user.has_perm("chatitive_django.view_payload"):
            shown.append("response")
        return shown

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("chatitive_django.view_notification")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attempt]:
        return super().get_queryset(request).select_related("actor")

    @admin.display(description=gettext_lazy("when"))
    def when(self, attempt: Attempt) -> str:
        return moment(attempt.started_at)

    @admin.display(description=gettext_lazy("asked for by"))
    def who_asked(self, attempt: Attempt) -> str:
        return str(attempt.actor) if attempt.actor else _("automatic")

    @admin.display(description=gettext_lazy("what happened"))
    def result(self, attempt: Attempt) -> SafeString:
        told = sentence(attempt.reason) if attempt.reason else ""
        code = str(attempt.http_status or "")
        facts = [f"HTTP {code}" if code and code not in told else "", attempt.error_class]
        lines = [line for line in [told, " · ".join(filter(None, facts))] if line]
        return format_html(
            "{}{}", outcome_badge(attempt), format_html_join("", "{}", [[noted(x)] for x in lines])
        )

    @admin.display(description=gettext_lazy("took"))
    def took(self, attempt: Attempt) -> str:
        if attempt.duration_ms is None:
            return "–"
        if attempt.duration_ms < 1000:
            return _("%(count)s ms") % {"count": attempt.duration_ms}
        return _("%(count)s s") % {"count": number_format(attempt.duration_ms / 1000, 1)}

    @admin.display(description=gettext_lazy("response"))
    def response(self, attempt: Attempt) -> str:
        if not attempt.response_excerpt:
            return "–"
        return format_html(
            '<details><summary>{}</summary><pre class="chatitive-text">{}</pre></details>',
            _("Show"),
            attempt.response_excerpt,
        )
