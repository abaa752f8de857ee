"""`manage.py chatitive` as a shell sees it."""

from __future__ import annotations

import io

from django.core.management import call_command


def run(*arguments, **options):
    """The exit code and the output of a verb."""
    out = io.StringIO()
    try:
        call_command("chatitive", *arguments, stdout=out, **options)
    except SystemExit as end:
        return end.code, out.getvalue()
    return 0, out.getvalue()
