"""What was found when delivery was looked at: good, or what is wrong and who can mend it."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Level(TextChoices):
    """How it stands with what was looked at."""

    OK = "ok", _("ok")
    WARN = "warn", _("look at this")
    BAD = "bad", _("wrong")


class Mender(TextChoices):
    """Who can mend it."""

    STAFF = "staff", _("staff, in the admin")
    DEVELOPER = "developer", _("a developer, or whoever runs the servers")
    WAIT = "wait", _("nobody: just wait")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A stable code, a sentence, and unless it is good who can mend it and what to do.

    `channel` is the alias of the channel of which it tells; empty where it is no channel's.
    """

    code: str
    text: str
    level: Level = Level.OK
    mender: Mender | None = None
    advice: str = ""
    channel: str = ""
