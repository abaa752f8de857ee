"""How delivery is doing, as JSON: for monitors with a token, and for people who may see it."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseFailure
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.utils.crypto import constant_time_compare
from django.views.decorators.debug import sensitive_variables

from ..conf import settings
from ..health import examine


def answer_monitor(request: HttpRequest, *, may_see: Callable[[], bool]) -> HttpResponse:
    """200 where nobody must act, 503 where someone must; what `status --format json` tells.

    For a request that bears the setting MONITOR_TOKEN, and for a person who `may_see` it.
    """
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    try:
        if not (_has_token(request) or may_see()):
            return _answer(401, json.dumps({"error": "Give the token, or log in."}))
        health = examine()
    except (DatabaseFailure, ImproperlyConfigured) as error:
        return _answer(503, json.dumps({"ok": False, "error": type(error).__name__}))
    return _answer(200 if health.ok else 503, health.as_json())


@sensitive_variables()
def _has_token(request: HttpRequest) -> bool:
    token = settings.MONITOR_TOKEN
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return bool(token) and scheme.lower() == "bearer" and constant_time_compare(given, token)


def _answer(status: int, content: str) -> HttpResponse:
    response = HttpResponse(content, status=status, content_type="application/json")
    response["Cache-Control"] = "no-store"
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response
