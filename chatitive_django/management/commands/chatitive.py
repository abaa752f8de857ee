"""`manage.py chatitive VERB`: the whole package from a shell."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseFailure
from django.db.transaction import TransactionManagementError

from ..verbs import VERBS
from ..verbs.base import MISUSE, Verb

_DJANGOS_OWN = {
    *BaseCommand.base_stealth_options,
    "verbosity",
    "settings",
    "pythonpath",
    "traceback",
    "no_color",
    "force_color",
    "skip_checks",
}


class Command(BaseCommand):
    help = "Deliver the notifications of chatitive_django, and look after their log."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(
            dest="verb", required=True, metavar="VERB", parser_class=_VerbParser
        )
        for verb in VERBS:
            verb.add_arguments(verbs.add_parser(verb.name, help=verb.help, description=verb.help))

    def execute(self, *args: Any, **options: Any) -> str | None:
        if not _named(options["verb"]).needs_sound_project:
            options["skip_checks"] = True
        return super().execute(*args, **options)

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        own = {name: value for name, value in options.items() if name not in _DJANGOS_OWN}
        try:
            code = _named(verb).run(self.stdout, **own)
        except ImproperlyConfigured as error:
            raise CommandError(str(error), returncode=MISUSE) from None
        except TransactionManagementError:  # no failure of the database: it says what is wrong
            raise
        except DatabaseFailure as error:  # its text may hold a password or a number
            raise CommandError(
                f"The database failed ({type(error).__name__}). Run `manage.py migrate`, or see "
                "`manage.py chatitive doctor`.",
                returncode=MISUSE,
            ) from None
        if code:
            sys.exit(code)


class _VerbParser(CommandParser):
    """The parser of a verb, which takes Django's own options too; its help doesn't repeat them."""

    def __init__(self, **options: Any) -> None:
        djangos_own = BaseCommand().create_parser("manage.py", "chatitive", add_help=False)
        for action in djangos_own._actions:
            action.default = argparse.SUPPRESS  # what was said before the verb holds
            action.help = argparse.SUPPRESS
        super().__init__(parents=[djangos_own], **options)


def _named(verb: str) -> Verb:
    return next(each for each in VERBS if each.name == verb)
