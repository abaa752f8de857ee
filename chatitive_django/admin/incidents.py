"""The tiles of the list: failures by cause, with a way out that is tried before it is offered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ..conf import settings
from ..incidents import Incident, failed_so, incidents
from ..models import Notification
from ..reasons import sentence
from .badges import TONES, bare_status_badge
from .connections import is_reached, outside_transactions
from .kin import FAILED_FOR
from .many import ManyActs
from .meanings import Mender, meaning
from .moments import moment

Status = Notification.Status

TESTED_FOR = timedelta(minutes=10)
"""So long a connection that worked is taken to work."""
_TESTED = "chatitive_connections"


class Incidents(ManyActs):
    """Test the connection; where it works, resend what failed for one cause."""

    def get_urls(self) -> list[URLPattern]:
        views = {
            "test-connection": outside_transactions(self.test_view),
            "resend-incident": self.resend_incident_view,
        }
        acts: list[URLPattern] = [
            path(
                f"{act}/",
                self.admin_site.admin_view(view),
                name=f"chatitive_django_notification_{act.replace('-', '_')}",
            )
            for act, view in views.items()
        ]
        return acts + super().get_urls()

    def tiles(self, request: HttpRequest) -> Iterator[dict[str, Any]]:
        """What the page says of each incident, and what this person may do about it."""
        may_act = self.has_resend_permission(request)
        for incident in incidents():
            tested_at = _tested_at(request, incident.channel)
            count = f"{incident.count}{'+' if incident.is_cut else ''}"
            mend_first = _mend_first(incident)
            yield {
                "incident": incident,
                "tone": TONES[incident.status],
                "badge": bare_status_badge(incident.status),
                "count": count,
                "cause": sentence(incident.reason) if incident.reason else "",
                "since": moment(incident.since),
                "tested": moment(tested_at) if tested_at else "",
                "shown_by": _shown_by(incident),
                "mend_first": mend_first,
                "may_test": may_act and not mend_first,
                "resend_label": _("Resend these %(count)s…") % {"count": count},
                "cause_fields": [
                    (name, getattr(incident, name))
                    for name in ("status", "reason", "channel", "highest_id")
                ],
                "may_resend": may_act
                and (incident.status == Status.INVALID or not mend_first)
                and _is_mended(request, incident.channel, incident.status),
            }

    @method_decorator(require_POST)
    def test_view(self, request: HttpRequest) -> HttpResponse:
        """Connect to a channel's API without sending anything, and keep in mind that it worked."""
        if not self.has_resend_permission(request):
            raise PermissionDenied
        alias = request.POST.get("channel", "")
        if alias not in settings.API_URLS:
            raise Http404(_("There is no such channel."))
        tested = {**request.session.get(_TESTED, {})}
        if is_reached(self, request, alias):
            tested[alias] = timezone.now().isoformat()
        else:
            tested.pop(alias, None)
        request.session[_TESTED] = tested
        return HttpResponseRedirect(self._url("changelist"))

    @method_decorator(require_POST)
    def resend_incident_view(self, request: HttpRequest) -> HttpResponse:
        """Freeze the notifications of one incident, and ask."""
        if not self.has_resend_permission(request):
            raise PermissionDenied
        cause = {name: request.POST.get(name, "") for name in ("status", "reason", "channel")}
        highest_id = request.POST.get("highest_id", "")
        is_id = highest_id.isascii() and highest_id.isdecimal() and len(highest_id) < 19
        if not is_id or cause["status"] not in Notification.Status.values:
            raise Http404(_("There is no such incident."))
        back = HttpResponseRedirect(self._url("changelist"))
        if not _is_mended(request, cause["channel"], cause["status"]):
            messages.error(
                request, _("Test the connection first: as long as it fails, so would they.")
            )
            return back
        rows = failed_so(**cause, highest_id=int(highest_id))
        return self._ask(request, rows, {"cause": cause}) or back


def _mend_first(incident: Incident) -> str:
    """What has to come before a resend where no test of the connection can tell."""
    if incident.status == Status.INVALID:
        return _("Mend the records first: the messages are built anew.")
    found = meaning(Notification(status=incident.status, reason=incident.reason))
    if found.mender is Mender.RECORD:
        return _("Mend the records first, then resend each, rebuilt from today's data.")
    return ""


def _shown_by(incident: Incident) -> str:
    """The address of the list that shows its notifications."""
    columns = {"status__exact": incident.status, "channel": incident.channel}
    return f"?{urlencode({**columns, FAILED_FOR: incident.reason})}"


def _is_mended(request: HttpRequest, channel: str, status: str) -> bool:
    """Whether what kept them from being sent may be over."""
    return status == Status.INVALID or _tested_at(request, channel) is not None


def _tested_at(request: HttpRequest, alias: str) -> Any:
    """When this person's test of a connection worked; `None` where that is too long ago."""
    tested_at = parse_datetime(request.session.get(_TESTED, {}).get(alias, ""))
    if tested_at is None or timezone.now() - tested_at > TESTED_FOR:
        return None
    return tested_at
