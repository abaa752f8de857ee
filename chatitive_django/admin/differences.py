"""What a record would say today beside what was recorded, as far as a person may see it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..models import Notification
from ..today import Difference, Today, difference
from .subjects import sees_all

COLUMNS = {
    "phone_number": gettext_lazy("phone number"),
    "subscriber_sid": gettext_lazy("subscriber SID"),
    "channel": gettext_lazy("channel"),
    "allow_new": gettext_lazy("allow new"),
    "subscribe_new": gettext_lazy("subscribe new"),
}


def told_today(request: HttpRequest, row: Notification, now: Today) -> str:
    """What the record would say today, in words, and a table for those who may see payloads."""
    if now.row is None:
        return now.text
    found = difference(row, now.row)
    if not found:
        return _("The record says the same today.")
    if sees_all(request):
        return format_html("{}{}", _("The record says otherwise today."), differences(found))
    names = ", ".join(map(named, found))
    return _("The record says otherwise today: %(names)s.") % {"names": names}


def differences(found: Iterable[Difference]) -> SafeString:
    """What was recorded beside what would be sent today."""
    return format_html(
        '<table class="chatitive-pairs"><thead><tr><th scope="col">{}</th><th scope="col">{}</th>'
        '<th scope="col">{}</th></tr></thead><tbody>{}</tbody></table>',
        _("Key"),
        _("Then"),
        _("Today"),
        format_html_join(
            "",
            '<tr><th scope="row">{}</th><td><del>{}</del></td><td><ins>{}</ins></td></tr>',
            ((named(each), written(each.then), written(each.now)) for each in found),
        ),
    )


def named(each: Difference) -> str:
    """What differs, by the name that people know it by."""
    return each.name if each.in_payload else str(COLUMNS[each.name])


def written(value: Any) -> str:
    """A value of JSON for people: text as it stands, a dash for nothing."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
