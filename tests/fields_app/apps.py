from __future__ import annotations

from django.apps import AppConfig


class KindsConfig(AppConfig):
    name = "tests.fields_app"
    label = "kinds"
