"""The example project's demo, run as a newcomer runs it: a process of its own, over real HTTP."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager

import pytest
import requests

from tests.acceptance.processes import ROOT, SECONDS_TO_END

MANAGE = [sys.executable, str(ROOT / "example_project" / "manage.py")]
TEXT = r"Hi Ada, how was your interaction with Pam\? http://127\.0\.0\.1:\d+/tickets/\d+/"


def environment(**changes):
    """This one without what the test suite set, and with the repository importable."""
    ours = {"DJANGO_SETTINGS_MODULE", "DATABASE_URL", "CHATITIVE_API_URL", "DEBUG", "SECRET_KEY"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    path = os.pathsep.join(filter(None, [str(ROOT), kept.get("PYTHONPATH")]))
    return kept | {"PYTHONPATH": path} | changes


def manage(*arguments, **changes):
    return subprocess.run(
        [*MANAGE, *map(str, arguments)],
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=SECONDS_TO_END,
        check=False,
    )


@pytest.fixture
def database(tmp_path):
    return tmp_path / "a folder + more" / "demo.sqlite3"


@contextmanager
def opened(database):
    with closing(sqlite3.connect(database)) as connection, connection:
        yield connection


def test_it_tells_each_step_in_order_and_ends_well_when_the_text_is_there(database):
    done = manage("demo", "--once", "--database", database)

    assert (done.returncode, done.stderr) == (0, "")
    steps = [
        r"1\. Pam saves her ticket",
        r"status +Success \(was Open\)",
        r"2\. A notification is recorded in the same transaction",
        r"event +RequestSupportFeedback",
        r"id +[0-9a-f]{8}-[0-9a-f-]{27}\n",
        r"3\. .* posts it",
        r"POST /sandbox/v2/account/channels/p03Gjl8Uzn0RkZSpHXHnrw/subscribers/events/notify",
        r'"event_name": "RequestSupportFeedback"',
        r'"phone_number": "206-555-01\d\d"',
        r'"ticket_status": "Success"',
        r'"cs_agent_name": "Pam"',
        r"4\. The sandbox answers",
        r"202 Accepted, after \d+ ms",
        r"5\. Ada Lund gets a text",
        TEXT,
    ]
    assert re.search(".*".join(steps), done.stdout, re.DOTALL), done.stdout
    assert "\x1b" not in done.stdout  # no colours where nobody sees them
    assert "password" not in done.stdout


def test_a_second_run_sends_a_second_text(database):
    for _ in range(2):
        done = manage("demo", "--once", "--database", database)
        assert done.returncode == 0, done.stderr
        assert len(re.findall(TEXT, done.stdout)) == 1

    with opened(database) as connection:
        statuses = connection.execute("SELECT status FROM chatitive_django_notification").fetchall()
    assert statuses == [("accepted",), ("accepted",)]


def test_it_keeps_away_from_the_database_and_the_channel_of_the_environment(database, tmp_path):
    theirs = tmp_path / "theirs.sqlite3"

    done = manage(
        *("demo", "--once", "--database", database),
        DATABASE_URL=f"sqlite:///{theirs}",
        CHATITIVE_API_URL="chatitive://SID:TOKEN@api.essential.to/theirs",
    )

    assert done.returncode == 0, done.stderr
    assert not theirs.exists()


def test_a_token_that_the_sandbox_refuses_ends_it_with_status_and_reason(database):
    done = manage("demo", "--once", "--wrong-token", "--database", database)

    assert done.returncode == 1
    assert "401 Unauthorized, after" in done.stdout
    assert "gets a text" not in done.stdout
    assert done.stderr == (
        "CommandError: No text arrived: the notification is pending. "
        "Chatitive refused the account SID or the token (401).\n"
    )

    mended = manage("demo", "--once", "--database", database)
    assert mended.returncode == 0, mended.stderr


def test_an_event_that_no_workflow_acts_on_ends_it_with_the_sandboxs_reason(database):
    assert manage("demo", "--once", "--database", database).returncode == 0
    with opened(database) as connection:
        connection.execute("UPDATE chatitive_sandbox_workflow SET is_enabled = 0")

    done = manage("demo", "--once", "--database", database)

    assert done.returncode == 1
    assert "202 Accepted" in done.stdout
    assert done.stderr == (
        "CommandError: No text arrived: the sandbox took the event. "
        "Workflow `Support feedback` was skipped; the workflow is disabled.\n"
    )


def test_a_taken_port_and_a_file_that_is_no_database_are_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = manage("demo", "--once", "--port", port, "--database", tmp_path / "demo.sqlite3")
    assert done.returncode == 1
    assert done.stderr.startswith(f"CommandError: Port {port} can't be used: ")

    broken = tmp_path / "broken.sqlite3"
    broken.write_text("This is no database, but a text that is long enough to be taken for one.")
    done = manage("demo", "--once", "--database", broken)
    assert done.returncode == 1
    assert done.stderr.startswith(f"CommandError: {broken} can't be used: ")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_stopped_and_leaves_nothing_behind(database, ending):
    with subprocess.Popen(
        [*MANAGE, "demo", "--database", str(database)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as demo:
        emergency = threading.Timer(SECONDS_TO_END, demo.kill)
        emergency.start()
        try:
            look_around(told_until(demo.stdout, "Ctrl-C ends the demo.\n"))
            demo.send_signal(ending)
            rest, errors = demo.communicate()
        finally:
            emergency.cancel()
            demo.kill()

    assert (demo.returncode, rest, errors) == (0, "\nStopped.\n", "")
    with pytest.raises(ProcessLookupError):
        os.killpg(demo.pid, 0)


def told_until(lines, last):
    told = []
    for line in lines:
        told.append(line)
        if line == last:
            return "".join(told)
    raise AssertionError("".join(told))


def look_around(told):
    """Open each address that the demo printed, with the login that it printed."""
    facts = dict(re.findall(r"^   (\w+) +(\S.*)$", told, re.MULTILINE))
    username, password = facts["login"].split(", password ")
    with requests.Session() as session:
        session.trust_env = False
        for name in ("start", "inbox"):
            assert session.get(facts[name]).status_code == 200, name
        login = session.get(facts["log"])
        assert "/admin/login/" in login.url
        page = session.post(
            login.url,
            {
                "username": username,
                "password": password,
                "csrfmiddlewaretoken": session.cookies["csrftoken"],
            },
        )
        assert page.url == facts["log"]
        assert "RequestSupportFeedback" in page.text
        assert session.get(facts["admin"]).status_code == 200
        assert session.get(facts["start"] + "static/admin/css/base.css").status_code == 200
        text = re.search(TEXT, told)[0]
        ticket = text.rpartition(" ")[2]
        assert "It is solved." in session.get(ticket).text
        assert "206" in session.get(facts["inbox"]).text


def test_the_commands_of_its_readme_work_by_the_book(tmp_path):
    changes = {"DATABASE_URL": f"sqlite:///{tmp_path / 'helpdesk.sqlite3'}"}
    for arguments in (
        ["check", "--fail-level", "WARNING"],
        ["makemigrations", "--check", "--dry-run"],
        ["migrate", "--verbosity", "0"],
        ["seed"],
        ["seed"],
    ):
        done = manage(*arguments, **changes)
        assert (done.returncode, done.stderr) == (0, ""), arguments
    assert done.stdout.startswith("3 customers, 2 agents and 3 open tickets are there")

    with opened(tmp_path / "helpdesk.sqlite3") as connection:
        count = connection.execute("SELECT COUNT(*) FROM chatitive_django_notification").fetchone()
    assert count == (0,)


def test_without_debug_it_asks_for_a_secret_key():
    done = manage("check", DEBUG="false")

    assert done.returncode == 1
    assert "SECRET_KEY" in done.stderr.splitlines()[-1]
