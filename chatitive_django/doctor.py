"""What may be wrong, looked at one by one: each a finding that says who can mend it, and how.

`manage.py chatitive doctor` tells all of it, the page of the channels what is of a channel.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta

from django.apps import apps
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseFailure
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from . import registry
from .backends import get_backend
from .conf import InvalidSetting, settings
from .dbtime import database_now
from .findings import Finding, Level, Mender
from .health import ChannelHealth, Health
from .health import examine as examine_health
from .models import EventRule, Heartbeat, log_alias
from .reasons import sentence

SKEW = timedelta(seconds=5)
"""By so much the clocks of host and database may differ."""

_CHECKED = {
    "settings": {"E001", "E002"},
    "channel_urls": {"E003", "E004"},
    "django": {"E005"},
    "sqlite": {"W001"},
    "tasks": {"W004"},
}
"""The system checks of each code; those that aren't here are of the declarations."""
_DECLARATIONS = "declarations"


def examine(*, reach: bool = True) -> list[Finding]:
    """Everything that can be looked at; with `reach` the channels are connected to as well.

    Raises nothing: what can't be looked at is a finding.
    """
    found = list(_system_checks())
    looks: list[Callable[[], Iterator[Finding]]] = [_declared]
    if reach:
        looks.append(_connections)
    try:
        missing = list(_migrations())
    except DatabaseFailure as error:
        return [*found, *_looked(looks), _no_database(error)]
    if any(finding.level is not Level.OK for finding in missing):
        return [*found, *_looked(looks), *missing]
    looks += [_delivery, _clocks, _rules]
    return [*found, *missing, *_looked(looks)]


def channel(health: ChannelHealth) -> list[Finding]:
    """How one channel is doing, as far as it is known without connecting to it."""
    if not health.configured:
        return []
    try:
        backend = get_backend(health.alias)
    except InvalidSetting as error:
        return [_unreadable(health.alias, error)]
    found = [_readable(health.alias, backend.token_end)]
    backend.close()
    if health.state == "slowed":
        found.append(
            Finding(
                code="slowed",
                level=Level.WARN,
                text=_("Channel %(alias)s waits a moment: %(reason)s")
                % {"alias": health.alias, "reason": sentence(health.reason)},
                mender=Mender.WAIT,
                advice=_("It goes on by itself."),
                channel=health.alias,
            )
        )
    elif health.state == "flowing":
        found.append(
            Finding(
                code="flowing",
                text=_("Channel %(alias)s flows.") % {"alias": health.alias},
                channel=health.alias,
            )
        )
    return found


def test_connection(alias: str) -> Finding:
    """Connect to a channel's API as a message would, and send nothing.

    It takes up to `CONNECT_TIMEOUT` seconds: not to be called inside a transaction.
    """
    try:
        backend = get_backend(alias)
    except InvalidSetting as error:
        return _unreadable(alias, error)
    try:
        if not backend.reaches_phones:
            text = _("Channel %(alias)s sends nothing anywhere, so there is nothing to connect to.")
            return Finding(code="connection", text=text % {"alias": alias}, channel=alias)
        reached = backend.reach()
    finally:
        backend.close()
    told = {"alias": alias, "host": backend.host, "ms": round(reached.duration * 1000)}
    if not reached.reason:
        return Finding(
            code="connection",
            text=_("Channel %(alias)s: %(host)s was reached in %(ms)s ms.") % told,
            advice=_("Whether it takes the account's SID and token, only a message can show."),
            channel=alias,
        )
    mender, advice = _unreached(reached.reason)
    return Finding(
        code="connection",
        level=Level.BAD,
        text=_("Channel %(alias)s: %(host)s was not reached.") % told
        + f" {sentence(reached.reason)}",
        mender=mender,
        advice=advice,
        channel=alias,
    )


def _looked(looks: list[Callable[[], Iterator[Finding]]]) -> Iterator[Finding]:
    for look in looks:
        try:
            yield from look()
        except ImproperlyConfigured:
            continue  # the system checks tell
        except DatabaseFailure as error:
            yield _no_database(error)


def _no_database(error: DatabaseFailure) -> Finding:
    return Finding(
        code="database",
        level=Level.BAD,
        text=_("The log's database refused a query or can't be reached (%(error)s).")
        % {"error": type(error).__name__},
        mender=Mender.DEVELOPER,
        advice=_("See that it runs, and that this host may use it."),
    )


def _system_checks() -> Iterator[Finding]:
    """What Django's system checks say, under one code for each thing that they look at."""
    found: defaultdict[str, list[checks.CheckMessage]] = defaultdict(list)
    for message in checks.run_checks(tags=["chatitive_django"]):
        number = str(message.id).rpartition(".")[2]
        code = next((code for code, ids in _CHECKED.items() if number in ids), _DECLARATIONS)
        if message.level >= checks.WARNING and not message.is_silenced():
            found[code].append(message)
    fine = {
        "settings": _("CHATITIVE can be read."),
        "channel_urls": _("Each channel's URL can be read."),
        "django": _("This Django writes models in a way that is known."),
        "sqlite": _("The database takes several writers."),
        "tasks": _("The dispatcher has what it needs."),
        _DECLARATIONS: _("What the models declare can be used."),
    }
    for code, text in fine.items():
        if not found[code]:
            yield Finding(code=code, text=text)
        for message in found[code]:
            yield Finding(
                code=code,
                level=Level.BAD if message.level >= checks.ERROR else Level.WARN,
                text=f"{message.msg} ({message.id})",
                mender=Mender.DEVELOPER,
                advice=message.hint
                or _("Change what is named here; `manage.py check` tells when it is right."),
            )


def _connections() -> Iterator[Finding]:
    for alias in settings.API_URLS:
        finding = test_connection(alias)
        if finding.code == "connection":  # of a URL that can't be read the system checks tell
            yield finding


def _readable(alias: str, token_end: str) -> Finding:
    told = {"alias": alias, "setting": f'CHATITIVE["API_URLS"]["{alias}"]', "end": token_end}
    text = (
        _("The URL comes from %(setting)s; its token ends in …%(end)s.")
        if token_end
        else _("The URL comes from %(setting)s.")
    )
    return Finding(code="channel_url", text=text % told, channel=alias)


def _unreadable(alias: str, error: InvalidSetting) -> Finding:
    return Finding(
        code="channel_url",
        level=Level.BAD,
        text=str(error),
        mender=Mender.DEVELOPER,
        advice=_("Give the channel the URL of its API, and start the processes anew."),
        channel=alias,
    )


def _unreached(reason: str) -> tuple[Mender, str]:
    """Who can mend that the API can't be reached, and how."""
    if reason in {"connection_refused", "connect_timeout", "connection_failed", "tls_failed"}:
        return Mender.WAIT, _(
            "It may be over soon. If it lasts, have a developer see whether a firewall is in the "
            "way, and whether the API is down."
        )
    if reason == "certificate_untrusted":
        return Mender.DEVELOPER, _(
            "Where a proxy or a private authority is meant to sign, give its certificates as "
            "ca_bundle in the channel's URL."
        )
    return Mender.DEVELOPER, _("Compare the host and the proxy in the channel's URL, and the DNS.")


def _migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connections[log_alias()])
    leaves = [key for key in executor.loader.graph.leaf_nodes() if key[0] == "chatitive_django"]
    missing = len(executor.migration_plan(leaves))
    if not missing:
        yield Finding(code="migrations", text=_("All migrations are applied."))
        return
    yield Finding(
        code="migrations",
        level=Level.BAD,
        text=ngettext(
            "%(count)s migration isn't applied, so the rest wasn't looked at.",
            "%(count)s migrations aren't applied, so the rest wasn't looked at.",
            missing,
        )
        % {"count": missing},
        mender=Mender.DEVELOPER,
        advice=_("Run `manage.py migrate`."),
    )


def _delivery() -> Iterator[Finding]:
    """How delivery is doing, as `status` tells it, and what is well beside it."""
    health = examine_health()
    wrong = {finding.code for finding in health.findings}
    for each in health.channels:
        yield from (finding for finding in channel(each) if finding.level is not Level.BAD)
    yield from health.findings
    if "no_worker" not in wrong:
        yield _who_delivers(health)
    if not wrong & {"overdue", "stuck", "unknown"}:
        yield Finding(code="rows", text=_("No message is overdue, stuck, or in doubt."))


def _who_delivers(health: Health) -> Finding:
    """What is known of the processes that deliver, by the dispatcher."""
    kinds = {"worker": Heartbeat.Kind.WORKER, "embedded": Heartbeat.Kind.EMBEDDED}
    dispatcher = settings.DISPATCHER
    alive = [each for each in health.workers if each.alive and each.kind == kinds.get(dispatcher)]
    if alive:
        text = ngettext(
            "%(count)s process delivers (dispatcher %(dispatcher)s).",
            "%(count)s processes deliver (dispatcher %(dispatcher)s).",
            len(alive),
        )
    elif dispatcher == "embedded":
        text = _("No serving process delivers at this moment; the next request has one begin.")
    else:
        text = _("The dispatcher %(dispatcher)s delivers; its processes don't tell of themselves.")
    return Finding(code="workers", text=text % {"count": len(alive), "dispatcher": dispatcher})


def _clocks() -> Iterator[Finding]:
    before = timezone.now()
    theirs = database_now(log_alias())
    skew = theirs - (before + (timezone.now() - before) / 2)
    told = {"seconds": round(abs(skew.total_seconds()), 1)}
    if abs(skew) <= SKEW:
        text = _("The clocks of host and database differ by %(seconds)s s.")
        yield Finding(code="clock", text=text % told)
        return
    yield Finding(
        code="clock",
        level=Level.WARN,
        text=_("The clocks of host and database differ by %(seconds)s s.") % told,
        mender=Mender.DEVELOPER,
        advice=_(
            "Have both set by NTP: the database's clock rules when a message is due, and the "
            "host's says when it was tried."
        ),
    )


def _rules() -> Iterator[Finding]:
    """The rules of staff that aren't off, and what is wrong with them."""
    rules = EventRule.objects.using(log_alias()).exclude(mode=EventRule.Mode.OFF)
    broken = 0
    for rule in rules.prefetch_related("conditions", "payload").order_by("name"):
        problems = rule.problems()
        broken += bool(problems)
        for problem in problems:
            yield Finding(
                code="rule",
                level=Level.BAD if rule.mode == EventRule.Mode.LIVE else Level.WARN,
                text=_("Rule %(name)s: %(problem)s") % {"name": rule.name, "problem": problem},
                mender=Mender.STAFF,
                advice=_("Mend the rule in the admin, or turn it off."),
            )
    if not broken:
        yield Finding(code="rules", text=_("No rule that is in force has a problem."))


def _declared() -> Iterator[Finding]:
    declared = {
        each.key
        for model in apps.get_models()
        if registry.concrete(model) is model
        for each in registry.declared(model)
    }
    offered = sum(bool(registry.rule_paths(model)) for model in apps.get_models())
    if declared or offered:
        text = _("Code declares %(events)s events, and offers %(models)s models for rules.")
        yield Finding(code="events", text=text % {"events": len(declared), "models": offered})
        return
    yield Finding(
        code="events",
        level=Level.WARN,
        text=_("No model declares an event or offers fields for rules, so nothing is recorded."),
        mender=Mender.DEVELOPER,
        advice=_("Give a model chatitive_events or chatitive_fields."),
    )
