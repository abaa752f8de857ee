"""What staff are told of every status and reason."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import chatitive_django
from chatitive_django import transport
from chatitive_django.admin import wording
from chatitive_django.admin.meanings import REASONS, STATUSES, Act, Meaning, Mender, meaning
from chatitive_django.client import _outcome_of
from chatitive_django.models import Notification
from chatitive_django.outcomes import Outcome, Result
from chatitive_django.reasons import SENTENCES, sentence
from chatitive_django.retry import decide

Status = Notification.Status
PACKAGE = Path(chatitive_django.__file__).parent


def produced():
    """Every code that the source gives to a row or a result, with the file that does."""
    for file in PACKAGE.rglob("*.py"):
        if "admin" in file.relative_to(PACKAGE).parts or "sandbox" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            for value in (each for given in _given(node) for each in _branches(given)):
                if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
                    yield value.value, file.name
                elif isinstance(value, ast.JoinedStr):
                    yield ast.unparse(value), file.name


def _branches(node):
    return [node.body, node.orelse] if isinstance(node, ast.IfExp) else [node]


def _given(node):
    match node:
        case ast.keyword(arg="reason", value=value):
            return [value]
        case ast.Call(func=ast.Name(id="Unbuildable"), args=[value, *_]):
            return [value]
        case ast.Call(func=ast.Name(id="finish"), args=[_, _, value, *_]):
            return [value]
        case ast.Assign(targets=[ast.Attribute(attr="reason")], value=value):
            return [value]
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
            pairs = zip(names, values, strict=True)
            return [value for name, value in pairs if getattr(name, "attr", "") == "reason"]
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            return [value for key, value in pairs if getattr(key, "value", "") == "reason"]
    return []


def test_every_reason_that_the_source_gives_has_its_sentence_and_its_meaning():
    found = dict(produced())
    assert {"no_subscriber", "worker_lost", "crashed", "vetoed", "replaced"} <= set(found)
    families = {code for code in found if code.startswith("f'")}
    assert families == {"f'http_{answer.status}'", "f'once_per_{event.once}'"}
    ends = {
        value
        for name, value in vars(transport).items()
        if name.isupper() and isinstance(value, str) and value.isidentifier()
    }
    codes = set(found) - families | ends | {"once_per_record", "once_per_transition"}
    assert codes <= set(SENTENCES)
    assert codes <= set(REASONS)


def test_every_sentence_has_a_meaning_and_every_meaning_a_sentence():
    families = {code for code in REASONS if code.endswith("xx")}
    assert set(REASONS) - families == set(SENTENCES)
    assert families == {"http_1xx", "http_3xx", "http_4xx", "http_5xx"}


@pytest.mark.parametrize("found", [*REASONS.values(), *STATUSES.values()])
def test_every_meaning_has_all_its_parts(found):
    assert str(found.means).endswith(".")
    assert str(found.todo).endswith(".")
    assert str(found.mender.value)
    assert found.act in Act


def ends():
    """Every row that an attempt can leave: its status and its reason."""
    for code in range(100, 600):
        outcome = _outcome_of(code)
        reason = "" if outcome is Outcome.ACCEPTED else f"http_{code}"
        yield from _left(Result(outcome=outcome, reason=reason, http_status=code))
    for outcome in Outcome:
        for reason in SENTENCES:
            yield from _left(Result(outcome=outcome, reason=reason))


def _left(result):
    for attempts in (1, 5):
        for by_person in (False, True):
            for on_ambiguous in ("hold", "retry"):
                decision = decide(
                    result,
                    attempts=attempts,
                    server_errors=attempts,
                    on_ambiguous=on_ambiguous,
                    by_person=by_person,
                    channel_broken=attempts == 5,
                    jitter=0,
                )
                yield decision.status, result.reason, attempts


def test_every_end_of_an_attempt_is_told_whole():
    told = set(ends())
    assert len(told) > 500
    for status, reason, attempts in told:
        row = Notification(status=status, reason=reason, attempts=attempts)
        found = meaning(row)
        assert isinstance(found, Meaning), (status, reason)
        headline = wording.headline(row)
        assert headline.endswith("."), headline
        if reason and status not in {Status.ACCEPTED, Status.SENDING}:
            assert sentence(reason) in headline or reason == "resent_by_staff", headline


@pytest.mark.parametrize(
    ("status", "reason", "mender", "act"),
    [
        ("pending", "http_503", Mender.WAIT, Act.CANCEL),
        ("pending", "no_answer", Mender.WAIT, Act.CANCEL),
        ("pending", "http_404", Mender.DEVELOPER, Act.CHANNELS),
        ("pending", "http_401", Mender.DEVELOPER, Act.CHANNELS),
        ("pending", "http_302", Mender.DEVELOPER, Act.CHANNELS),
        ("pending", "resent_by_staff", Mender.WAIT, Act.RELOAD),
        ("pending", "", Mender.WAIT, Act.CANCEL),
        ("sending", "http_503", Mender.WAIT, Act.RELOAD),
        ("accepted", "", Mender.NOBODY, Act.RESEND),
        ("rejected", "http_422", Mender.DEVELOPER, Act.RESEND),
        ("rejected", "http_412", Mender.RECORD, Act.RECORD),
        ("rejected", "of another version", Mender.DEVELOPER, Act.RESEND),
        ("unknown", "no_answer", Mender.YOU, Act.RESEND),
        ("unknown", "http_500", Mender.YOU, Act.RESEND),
        ("unknown", "http_502", Mender.YOU, Act.RESEND),
        ("expired", "too_late", Mender.YOU, Act.RESEND),
        ("expired", "http_503", Mender.YOU, Act.RESEND),
        ("invalid", "no_subscriber", Mender.RECORD, Act.RECORD),
        ("invalid", "raised", Mender.DEVELOPER, Act.RESEND),
        ("skipped", "cooldown", Mender.NOBODY, Act.EXPLAIN),
        ("cancelled", "cancelled_by_staff", Mender.NOBODY, Act.RESEND),
    ],
)
def test_who_can_mend_it_and_what_does_depend_on_status_and_reason(status, reason, mender, act):
    found = meaning(Notification(status=status, reason=reason))
    assert (found.mender, found.act) == (mender, act)
