"""`groups`."""

from __future__ import annotations

import argparse

from django.contrib.auth.models import Group, Permission
from django.core.management.base import CommandError
from django.db import router, transaction

from .base import MISUSE, Output, Verb

SUPPORT = "Support"
MESSAGING_MANAGER = "Messaging manager"

_SUPPORT = ["view_notification", "view_channel", "resend_notification", "cancel_notification"]
MAY = {
    SUPPORT: _SUPPORT,
    MESSAGING_MANAGER: [
        *_SUPPORT,
        "view_payload",
        "send_again",
        "export_notification",
        "pause_channel",
        "send_test",
        "view_eventrule",
        "add_eventrule",
        "change_eventrule",
        "delete_eventrule",
        "activate_rule",
        "set_subscribe_new",
    ],
}
"""Who may what; a manager may all that support may."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def _groups(out: Output) -> int:
    using = router.db_for_write(Group)
    with transaction.atomic(using=using):
        for name, codenames in MAY.items():
            permissions = Permission.objects.using(using).filter(
                content_type__app_label="chatitive_django", codename__in=codenames
            )
            if len(permissions) < len(codenames):
                raise CommandError(
                    "The permissions aren't there yet. Run `manage.py migrate` first.",
                    returncode=MISUSE,
                )
            group, created = Group.objects.using(using).get_or_create(name=name)
            held = set(group.permissions.values_list("pk", flat=True))
            new = [each for each in permissions if each.pk not in held]
            group.permissions.add(*new)
            out.write(
                f"Group {name} {'was made' if created else 'was there'}; "
                f"{len(new)} permissions were added, {len(codenames) - len(new)} it had."
            )
    return 0


GROUPS = Verb(
    name="groups",
    help="Make the groups Support and Messaging manager with what they may do; what they have "
    "beside it stays.",
    add_arguments=_arguments,
    run=_groups,
)
