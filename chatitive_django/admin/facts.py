"""The facts of one notification: what it says, to whom, about what, and when."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..models import EventRule, Notification
from ..payloads import flat
from ..rules import declared_by_key
from ..sentences import sentence
from ..today import today
from . import wording
from .acts import Acts
from .badges import noted
from .columns import Column
from .differences import told_today, written
from .moments import duration, moment
from .subjects import about_now, recipient, sees_all

Status = Notification.Status


class Facts(Acts):
    """The fields of a notification's page, all of them to read only."""

    def get_fieldsets(self, request: HttpRequest, obj: Notification | None = None) -> Any:
        row = obj or Notification()
        what: list[Any] = [
            "event_name",
            Column(request, self.to_whom, _("to")),
            Column(request, self.about_what, _("about")),
        ]
        if row.source_model and row.scrubbed_at is None:
            what.append(Column(request, self.said_today, _("since then")))
        what += [
            Column(request, self.why_it_fired, _("why it fired")),
            Column(request, self.declared_by, _("declared by")),
            "consent",
            "recorded",
        ]
        if row.status == Status.PENDING:
            what += ["next_try", "expires"]
        elif row.finished_at is not None:
            what.append("finished")
        identity = ["number", "public_id", "channel", "event_key", "origin"]
        if row.requested_by_id:
            identity.append("requested_by")
        return [
            (None, {"fields": what}),
            (_("Message"), {"fields": [Column(request, self.payload_table, _("payload"))]}),
            (_("Identity"), {"fields": identity, "classes": ["collapse"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [
            name for _label, part in self.get_fieldsets(request, obj) for name in part["fields"]
        ]

    def to_whom(self, request: HttpRequest, row: Notification) -> str:
        return recipient(request, row)

    def about_what(self, request: HttpRequest, row: Notification) -> str:
        return about_now(request, self.admin_site, row)

    def why_it_fired(self, request: HttpRequest, row: Notification) -> str:
        return wording.why_sentence(row, whole=sees_all(request))

    def said_today(self, request: HttpRequest, row: Notification) -> str:
        """Whether the record has changed since, and for those who may see it, what."""
        return told_today(request, row, today(row))

    def declared_by(self, request: HttpRequest, row: Notification) -> str:
        """The declaration or rule as its sentence; a rule is a link where one may see it."""
        declared = declared_by_key(row.source_model, row.event_key)
        if declared is None:
            told = _("%(key)s, which is no longer declared") % {"key": row.event_key or "–"}
            return str(wording.BY_HAND.get(row.origin, told))
        told = sentence(declared.event, declared.model)
        if declared.rule_id is None:
            return format_html("{}{}", told, noted(_("Declared by the project's code")))
        may_look = request.user.has_perm("chatitive_django.view_eventrule")
        if not (may_look and self.admin_site.is_registered(EventRule)):
            return format_html("{}{}", told, noted(_("A rule that staff made")))
        url = reverse(
            "admin:chatitive_django_eventrule_change",
            args=[declared.rule_id],
            current_app=self.admin_site.name,
        )
        link = format_html('<a href="{}">{}</a>', url, told)
        return format_html("{}{}", link, noted(_("A rule that staff made")))

    @admin.display(description=gettext_lazy("consent"))
    def consent(self, row: Notification) -> str:
        if row.subscribe_new:
            return _("A number that is new to the channel is added as subscribed.")
        if row.allow_new:
            return _("A number that is new to the channel is added as unconfirmed.")
        return _("A number that is new to the channel is ignored.")

    @admin.display(description=gettext_lazy("recorded"))
    def recorded(self, row: Notification) -> str:
        return moment(row.created_at)

    @admin.display(description=gettext_lazy("next try"))
    def next_try(self, row: Notification) -> str:
        return moment(row.available_at)

    @admin.display(description=gettext_lazy("given up after"))
    def expires(self, row: Notification) -> str:
        return moment(row.expires_at)

    @admin.display(description=gettext_lazy("finished"))
    def finished(self, row: Notification) -> str:
        when = moment(row.finished_at)
        if row.status != Status.ACCEPTED or row.finished_at is None:
            return when
        took = _("Accepted %(duration)s after it was recorded.") % {
            "duration": duration(row.finished_at - row.created_at)
        }
        return format_html("{}{}", when, noted(took))

    @admin.display(description=gettext_lazy("number"))
    def number(self, row: Notification) -> str:
        return f"#{row.pk}"

    def payload_table(self, request: HttpRequest, row: Notification) -> str:
        """The payload, a line a value, and folded up the JSON as it is sent."""
        if not sees_all(request):
            return _("Only people with the permission to see payloads can see it.")
        if not row.payload:
            return _("It is empty.")
        text = json.dumps(row.payload, indent=2, ensure_ascii=False)
        return format_html(
            '<table class="chatitive-pairs"><thead><tr><th scope="col">{}</th>'
            '<th scope="col">{}</th></tr></thead><tbody>{}</tbody></table>'
            '<details><summary>{}</summary><pre class="chatitive-text">{}</pre></details>',
            _("Key"),
            _("Value"),
            format_html_join(
                "",
                '<tr><th scope="row">{}</th><td>{}</td></tr>',
                ((key, written(value)) for key, value in flat(row.payload)),
            ),
            _("As JSON"),
            text,
        )
