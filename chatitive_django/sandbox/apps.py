"""The sandbox as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class SandboxConfig(AppConfig):
    """The stand-in for the remote side; for development and tests only."""

    name = "chatitive_django.sandbox"
    label = "chatitive_sandbox"
    verbose_name = "Chatitive sandbox"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks."""
        from . import checks  # noqa: F401
