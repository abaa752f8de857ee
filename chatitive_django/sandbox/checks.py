"""System checks: the sandbox is never for production, and it needs python-liquid."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core import checks


def is_allowed() -> bool:
    """Whether the sandbox may show its pages here: it shows phone numbers to anyone who asks."""
    return settings.DEBUG or getattr(settings, "CHATITIVE_SANDBOX_ALLOWED", False) is True


@checks.register
def not_in_production(**_: Any) -> list[checks.CheckMessage]:
    """Warn where the sandbox is installed and nothing says that this is no production site."""
    if is_allowed():
        return []
    return [
        checks.Warning(
            "The Chatitive sandbox is installed, and DEBUG is off.",
            hint=(
                "The sandbox takes events and sends no text: take it out of INSTALLED_APPS in "
                "production. Where it is meant, such as on a test server, set "
                "CHATITIVE_SANDBOX_ALLOWED = True; without it the sandbox's pages are not found."
            ),
            id="chatitive_sandbox.W001",
        )
    ]


@checks.register
def liquid_is_installed(**_: Any) -> list[checks.CheckMessage]:
    """Refuse to start where the first message would fail."""
    if find_spec("liquid") is not None:
        return []
    return [
        checks.Error(
            "The Chatitive sandbox needs python-liquid, which isn't installed.",
            hint="pip install 'chatitive-django[sandbox]'",
            id="chatitive_sandbox.E001",
        )
    ]
