"""The notify call: `POST v2/account/channels/{channel_sid}/subscribers/events/notify`."""

from __future__ import annotations

import base64

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables

from .assumptions import HEADER, Assumption
from .engine import receive
from .models import Account
from .sids import exact, spellings


@csrf_exempt
@login_not_required
# Under ATOMIC_REQUESTS the credentials would be read before the first write: see `receive`.
@transaction.non_atomic_requests
def notify(request: HttpRequest, channel_sid: str) -> JsonResponse:
    """Answer a notify call: 202, or what is wrong with it.

    The answer to an ignored event is the one to an accepted event, as far as is known; only the
    header of assumptions tells them apart.
    """
    if request.method != "POST":
        return _answer(405, {"error": "Use POST."}, [Assumption.WRONG_METHOD], {"Allow": "POST"})
    account = _authenticate(request)
    if account is None:
        return _answer(
            401,
            {"error": "The account SID or the token is wrong."},
            [Assumption.WRONG_CREDENTIALS],
            {"WWW-Authenticate": 'Basic realm="Chatitive sandbox", charset="UTF-8"'},
        )
    try:
        body = request.body
    except RequestDataTooBig:
        return _answer(413, {"error": "The body is too large."}, [Assumption.TOO_LARGE])
    event = receive(
        account,
        channel_sid=channel_sid,
        body=body,
        idempotency_key=request.headers.get("Idempotency-Key", ""),
    )
    accepted = event.http_status == 202
    content = {"message": "Accepted"} if accepted else {"error": event.explanation}
    return _answer(event.http_status, content, event.assumptions)


def _answer(
    status: int,
    content: dict[str, str],
    assumptions: list[Assumption],
    headers: dict[str, str] | None = None,
) -> JsonResponse:
    response = JsonResponse(content, status=status, headers=headers)
    if assumptions:
        response[HEADER] = ", ".join(assumptions)
    return response


@sensitive_variables("encoded", "token")
def _authenticate(request: HttpRequest) -> Account | None:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        sid, _, token = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return None
    sids = spellings(sid)
    account = exact(Account.objects.filter(sid__in=sids), sids)
    # An unknown SID takes the same time as a wrong token.
    is_right = constant_time_compare(token, account.token if account else "")
    return account if account and token and is_right else None
