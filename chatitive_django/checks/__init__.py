"""What Django's system checks say of settings and declarations, before anything is lost.

docs/checks.md lists the ids; the docstring of each function names those that it gives.
"""

from __future__ import annotations

from django.core import checks

from .admins import check_admins
from .declarations import check_declarations, check_rule_fields, check_shapes
from .settings import check_channels, check_django, check_settings, check_sqlite, check_tasks

CHECKS = (
    check_settings,
    check_channels,
    check_django,
    check_sqlite,
    check_tasks,
    check_shapes,
    check_declarations,
    check_rule_fields,
    check_admins,
)


def register_all() -> None:
    for check in CHECKS:
        checks.register(check, "chatitive_django")
