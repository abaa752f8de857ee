"""`manage.py chatitive rules`: rules listed, written to a file that git can compare, brought in."""

from __future__ import annotations

import io
import json
import sys
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from chatitive_django.models import EventRule, Notification
from chatitive_django.rule_files import bring_in, load
from tests.desk.models import Customer, Lead
from tests.factories import StaffFactory

pytestmark = pytest.mark.django_db


def run(*arguments):
    """The exit code and the output of `chatitive rules`."""
    out = io.StringIO()
    try:
        call_command("chatitive", "rules", *arguments, stdout=out)
    except SystemExit as end:
        return end.code, out.getvalue()
    return 0, out.getvalue()


WON = {
    "name": "Won",
    "model": "desk.lead",
    "trigger": "changed",
    "field": "stage",
    "to_values": ["won"],
    "event_name": "LeadWon",
    "phone_number": "customer.phone",
    "mode": "live",
}
FULL = {
    "name": "Full",
    "model": "desk.lead",
    "trigger": "changed",
    "field": "stage",
    "from_values": ["new"],
    "to_values": ["won", "lost"],
    "on_create": True,
    "event_name": "LeadÜber",
    "phone_number": "customer.phone",
    "subscriber_sid": "customer.name",
    "allow_new": True,
    "subscribe_new": True,
    "ordered": False,
    "on_ambiguous": "retry",
    "expires_after": "2:00:00",
    "cooldown": "1 day, 0:30:00",
    "once": "record",
    "mode": "off",
    "conditions": [
        {"path": "title", "operator": "is_set"},
        {"path": "title", "operator": "not_equals", "value": "A"},
        {"path": "urgent", "operator": "equals", "value": True},
    ],
    "payload": [
        {"key": "agent", "path": "agent.name", "fallback": {"none": True}},
        {"key": "lead.stage", "path": "stage"},
        {"key": "source", "constant": [1, "two", None]},
    ],
}


def written(path, *rules):
    path.write_text(json.dumps({"rules": rules}), encoding="utf-8")
    return str(path)


@pytest.fixture
def file(tmp_path):
    """A file of rules."""
    return lambda *rules: written(tmp_path / "rules.json", *rules)


def imported(*rules):
    return bring_in(load(json.dumps({"rules": rules}), "json"), write=True)


def stored():
    return json.loads(run("export")[1])["rules"]


# A file


@pytest.mark.parametrize("file_format", ["json", "yaml"])
def test_rules_come_back_from_a_file_as_they_were(tmp_path, file_format):
    imported(WON, FULL)
    code, text = run("export", "--format", file_format)
    assert code == 0
    events = {rule.name: rule.as_event() for rule in EventRule.objects.all()}
    EventRule.objects.all().delete()
    path = tmp_path / f"rules.{file_format}"
    path.write_text(text, encoding="utf-8")
    code, told = run("import", str(path))
    assert code == 0
    assert told.splitlines()[0].startswith("Created Full: When a Lead's stage changes from New to")
    again = {rule.name: rule for rule in EventRule.objects.all()}
    for name, event in events.items():
        rule = again[name]
        restored = rule.as_event()
        assert restored.key != event.key
        for part in ("triggers", "conditions", "payload", "gap", "lifetime", "mode", "once"):
            assert getattr(restored, part) == getattr(event, part)
    assert again["Full"].expires_after == timedelta(hours=2)
    assert run("export", "--format", file_format)[1] == text


def test_an_export_holds_what_was_made_sorted_and_nothing_of_its_database():
    shuffled = {**FULL, "payload": FULL["payload"][::-1], "conditions": FULL["conditions"][::-1]}
    imported(WON, shuffled)
    EventRule.objects.update(edited_by=StaffFactory())
    assert stored() == [FULL, WON]


def test_an_export_reads_as_lines_that_git_can_compare():
    imported(WON)
    _code, before = run("export")
    EventRule.objects.get().payload.create(key="url", path="get_absolute_url")
    _code, after = run("export")
    added = set(after.splitlines()) - set(before.splitlines())
    assert added >= {'          "key": "url",', '          "path": "get_absolute_url"'}
    assert before.splitlines()[2:5] == [
        "    {",
        '      "name": "Won",',
        '      "model": "desk.lead",',
    ]


def test_yaml_without_pyyaml_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "yaml", None)
    for arguments in (["export", "--format", "yaml"], ["import", str(tmp_path / "rules.yml")]):
        (tmp_path / "rules.yml").write_text("rules: []")
        with pytest.raises(CommandError, match=r"chatitive-django\[yaml\]") as error:
            run(*arguments)
        assert error.value.returncode == 2


# Bringing one in


def test_an_imported_rule_is_in_force(file):
    run("import", file(WON))
    lead = Lead.objects.create(customer=Customer.objects.create(name="Kim", phone="206-555-0100"))
    lead.stage = "won"
    lead.save()
    assert Notification.objects.get().event_name == "LeadWon"


def test_an_import_tells_what_it_changes_from_and_to(file):
    imported(WON, {**WON, "name": "Stays"}, {**WON, "name": "Elsewhere"})
    changed = {
        **WON,
        "mode": "watch",
        "cooldown": 3600,
        "conditions": [{"path": "urgent", "operator": "equals", "value": True}],
        "payload": [{"key": "url", "path": "get_absolute_url"}],
    }
    told = """
  cooldown: none → "1:00:00"
  mode: "live" → "watch"
  conditions urgent equals true: none → {"path": "urgent", "operator": "equals", "value": true}
  payload url: none → {"key": "url", "path": "get_absolute_url"}
1 of 2 rules are as the file has them.
Not in the file, and left as they are: Elsewhere.
"""
    path = file(changed, {**WON, "name": "Stays"})
    assert run("import", path, "--check") == (1, f"Would change Won:{told}")
    assert [rule["mode"] for rule in stored()] == ["live"] * 3
    assert run("import", path) == (0, f"Changed Won:{told}")
    assert stored()[2] == {**changed, "cooldown": "1:00:00"}
    assert run("import", path, "--check")[0] == 0


def test_a_row_that_the_file_changes_or_leaves_out_is_told(file):
    imported(FULL)
    rows = FULL["payload"]
    code, told = run("import", file({**FULL, "payload": [{**rows[1], "path": "title"}]}))
    assert code == 0
    stage, title = (f'{{"key": "lead.stage", "path": "{path}"}}' for path in ("stage", "title"))
    assert told.splitlines()[2:4] == [
        f"  payload lead.stage: {stage} → {title}",
        '  payload source: {"key": "source", "constant": [1, "two", null]} → none',
    ]
    assert stored()[0]["payload"] == [{"key": "lead.stage", "path": "title"}]


def test_a_check_writes_nothing_and_tells_by_its_exit_code(file):
    assert run("import", file(WON), "--check")[0] == 1
    assert not EventRule.objects.exists()
    run("import", file(WON))
    version = EventRule.objects.get().version
    assert run("import", file(WON), "--check") == (
        0,
        "1 of 1 rules are as the file has them.\n",
    )
    run("import", file(WON))
    assert EventRule.objects.get().version == version


def test_whoever_edited_a_rule_before_isn_t_named_for_what_a_file_changed(file):
    imported(WON)
    EventRule.objects.update(edited_by=StaffFactory())
    run("import", file({**WON, "mode": "off"}))
    assert EventRule.objects.get().edited_by is None


def test_a_whole_import_is_one_transaction(file, monkeypatch):
    class Broken(Exception):
        pass

    def save(rule, *args, **kwargs):
        if rule.name == "Worse":
            raise Broken
        return original(rule, *args, **kwargs)

    original = EventRule.save
    monkeypatch.setattr(EventRule, "save", save)
    with pytest.raises(Broken):
        run("import", file(WON, {**WON, "name": "Worse"}))
    assert not EventRule.objects.exists()


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (
            {"field": "stagee"},
            "Rule 'Won': field: Rules can't watch “stagee” of Lead. Did you mean",
        ),
        ({"to_values": ["wonn"]}, "Rule 'Won': to: “wonn” is no choice of “stage”."),
        ({"phone_number": "secret"}, "Rule 'Won': phone number: Rules can't read “secret”"),
        ({"subscribe_new": True}, "Rule 'Won': subscribe new: Only a new person"),
        ({"model": "desk.leads"}, "Rule 'Won': model: The project has no model “desk.leads”."),
        ({"mode": "alive"}, "Rule 'Won': mode: Value 'alive' is not a valid choice."),
        ({"event_name": ""}, "Rule 'Won': event: This field cannot be blank."),
        ({"chanel": "default"}, "Rule 'Won': it has no 'chanel'. Did you mean 'channel'?"),
        ({"ordered": "yes"}, "Rule 'Won': ordered: it must be true or false, and it is 'yes'."),
        ({"to_values": "won"}, "Rule 'Won': to_values: it must be a list, and it is 'won'."),
        ({"phone_number": 5}, "Rule 'Won': phone_number: it must be text, and it is 5."),
        ({"cooldown": "soon"}, "Rule 'Won': cooldown: it must be a span of time"),
        ({"cooldown": 1e12}, "Rule 'Won': cooldown: it must be a span of time"),
        ({"cooldown": "-1:00:00"}, "Give a time that is longer than nothing."),
        ({"cooldown": "3000000 days"}, "Give a time of at most 36525 days."),
        ({"cooldown": "9999999999999 days"}, "it must be a span of time"),
        ({"title\0": 1}, "Rule 'Won': it has no"),
        ({"event_name": "a\0b"}, "Rule 'Won': event_name: event_name holds a NUL character"),
        ({"id": 5}, "Rule 'Won': it has no 'id'."),
        ({"name": ""}, "Rule number 1: it has no name."),
        ({"name": " "}, "Rule ' ': it has no name."),
        ({"name": None}, "Rule number 1: name: it must be text"),
        ({"conditions": {}}, "Rule 'Won': conditions must be a list."),
        ({"conditions": ["title"]}, "Rule 'Won': conditions, number 1: it must be a mapping"),
        (
            {"conditions": [{"path": "title", "operater": "is_set"}]},
            "Rule 'Won': conditions, number 1: it has no 'operater'. Did you mean 'operator'?",
        ),
        (
            {"conditions": [{"path": "secret", "operator": "is_set"}]},
            "Rule 'Won': condition on “secret”: path: Rules can't read “secret”",
        ),
        (
            {"conditions": [{"path": "title", "operator": "contains"}]},
            "Rule 'Won': condition on “title”: value: Give a value",
        ),
        (
            {"payload": [{"key": "a"}]},
            "Rule 'Won': payload “a”: path: Choose a path, or give a constant.",
        ),
        (
            {"payload": [{"key": "name", "path": "title"}, {"key": "Name", "path": "stage"}]},
            "Rule 'Won': “Name” and “name” are the same key to some databases.",
        ),
        (
            {"payload": [{"key": "cafe ", "path": "title"}, {"key": "Café", "path": "stage"}]},
            "Rule 'Won': “Café” and “cafe ” are the same key to some databases.",
        ),
        (
            {"payload": [{"key": "a", "path": "title"}, {"key": "a", "path": "stage"}]},
            "Rule 'Won': The payload has “a” twice.",
        ),
        (
            {"payload": [{"key": "a", "path": "title", "constant": 1}]},
            "Rule 'Won': payload “a”: constant: Give a path or a constant, not both.",
        ),
    ],
)
def test_what_is_wrong_is_refused_by_name_and_place_and_nothing_is_changed(file, rule, told):
    with pytest.raises(CommandError) as error:
        run("import", file({**WON, **rule}, {**WON, "name": "Right"}))
    assert told in str(error.value)
    assert "nothing was changed" in str(error.value)
    assert error.value.returncode == 2
    assert not EventRule.objects.exists()


def test_everything_that_is_wrong_is_told_at_once(file):
    with pytest.raises(CommandError) as error:
        run("import", file({**WON, "modell": 1}, {**WON, "field": "x"}, WON, "Won"))
    told = str(error.value)
    for text in (
        "it has no 'modell'",
        "Rules can't watch “x”",
        "Rule 'Won': the file has it twice.",
        "Rule number 4: it must be a mapping of names to values.",
    ):
        assert text in told


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("rules.json", "{", "It is no JSON: Expecting property name"),
        ("rules.yaml", "rules: [", "It is no YAML: while parsing"),
        ("rules.json", '{"rules": [], "rules": []}', "'rules' is there twice in one mapping."),
        ("rules.yaml", "rules:\n- {name: A, name: B}", "'name' is there twice in one mapping."),
        ("rules.json", "[" * 100_000, "It is nested too deeply."),
        ("rules.yaml", "[" * 5_000, "It is nested too deeply."),
        ("rules.yaml", "[]", 'It has no list of "rules"'),
        ("rules.json", '{"rules": {}}', 'It has no list of "rules"'),
        ("rules.json", '{"rules": [], "rule": []}', "'rule' is nothing that a file has"),
        ("nothing.json", None, "can't be read"),
    ],
)
def test_a_file_that_can_t_be_read_is_misuse(tmp_path, name, text, told):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(CommandError) as error:
        run("import", str(tmp_path / name))
    assert told in str(error.value)
    assert error.value.returncode == 2


@pytest.mark.parametrize("check", [[], ["--check"]])
def test_what_the_database_refuses_is_told_and_a_check_tells_it_too(file, monkeypatch, check):
    def overtaken(rule, *args, **kwargs):
        EventRule(**{**WON, "mode": "off"}).save_base(force_insert=True)
        original(rule, *args, **kwargs)

    original = EventRule.save
    monkeypatch.setattr(EventRule, "save", overtaken)
    with pytest.raises(CommandError, match="Rule 'Won': the database refuses it") as error:
        run("import", file(WON), *check)
    assert error.value.returncode == 2
    assert not EventRule.objects.exists()


def test_a_date_that_yaml_reads_as_one_is_kept_as_rules_keep_it(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text(
        """
rules:
- name: Due
  model: desk.lead
  trigger: changed
  field: due
  to_values: [2026-03-01]
  event_name: LeadDue
  phone_number: customer.phone
  cooldown: 02:00:00
"""
    )
    run("import", str(path))
    rule = EventRule.objects.get()
    assert (rule.to_values, rule.cooldown) == (["2026-03-01"], timedelta(hours=2))
    assert run("import", str(path), "--check")[0] == 0


# The list


def test_the_list_has_sentence_and_mode_of_each_rule():
    assert run("list") == (0, "There are no rules.\n")
    imported(WON)
    assert run("list") == (
        0,
        "Won (live): When a Lead's stage changes to Won at last, send LeadWon to customer.phone.\n",
    )


def test_a_rule_that_is_wrong_by_now_is_a_finding():
    imported(WON)
    EventRule.objects.create(
        name="Broken", model="desk.lead", trigger="changed", field="stagee", event_name="X"
    )
    code, text = run("list")
    assert code == 1
    assert "  ! field: Rules can't watch “stagee” of Lead. Did you mean “stage”?\n" in text
    code, text = run("list", "--format", "json")
    assert code == 1
    assert [bool(rule["problems"]) for rule in json.loads(text)] == [True, False]


def test_lists_and_exports_cost_the_same_for_many_rules(django_assert_num_queries):
    imported(*({**FULL, "name": f"Rule {n}"} for n in range(5)))
    for act in ("list", "export"):
        with django_assert_num_queries(3):
            run(act)
