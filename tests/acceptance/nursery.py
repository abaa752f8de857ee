"""Management commands that start in milliseconds: forked from a process where Django is set up.

    with Nursery() as nursery:
        worker = nursery.manage("chatitive", "worker")
        worker.send(signal.SIGTERM)
        assert worker.exit_code() == 0

Each is a process of its own, with connections, threads and signal handlers of its own, and can be
killed hundreds of times a minute, where an interpreter that imports Django takes half a second.
"""

from __future__ import annotations

import json
import os
import select
import signal
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.acceptance.processes import SECONDS_TO_END, python

FORKS = """
    import ctypes
    import json
    from django.conf import settings
    from django.core.management import execute_from_command_line
    import chatitive_django.backends.api
    import chatitive_django.management.commands.chatitive  # once, for all forks

    PR_SET_PDEATHSIG = 1  # no test run that is killed leaves workers behind

    def tell(number):
        print(number, flush=True)

    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            _, status = os.waitpid(order["wait"], 0)
            tell(os.waitstatus_to_exitcode(status))
        elif pid := os.fork():
            tell(pid)
        else:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            output = os.open(order["output"], os.O_WRONLY | os.O_APPEND)
            os.dup2(output, 1)
            os.dup2(output, 2)
            sys.stdout.reconfigure(line_buffering=True)
            settings.CHATITIVE = order["chatitive"]
            exec(order["code"], globals())
            execute_from_command_line(["manage.py", *order["arguments"]])
            sys.exit(0)
"""


@dataclass(frozen=True, slots=True)
class Forked:
    """One command as a process; it may be waited for once."""

    pid: int
    nursery: Nursery

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    @property
    def asleep(self) -> bool:
        """Whether SIGSTOP has stopped it."""
        state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state == "T"

    def exit_code(self) -> int:
        """The exit code once it has ended, minus the signal's number where one ended it."""
        code = self.nursery.order(wait=self.pid)
        self.nursery.alive.discard(self.pid)
        return code


class Nursery:
    """Forks management commands on the test database; what they print is in `output`."""

    def __init__(self) -> None:
        self.alive: set[int] = set()
        descriptor, name = tempfile.mkstemp(prefix="chatitive-output-")
        os.close(descriptor)
        self.output = Path(name)

    def __enter__(self) -> Self:
        self._process = python(FORKS)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.kill_all()
        self._process.communicate(timeout=SECONDS_TO_END)
        self.output.unlink()

    def manage(self, *arguments: object, code: str = "", **chatitive: object) -> Forked:
        """Start a command, after `code` has run, with these keys of `settings.CHATITIVE`."""
        pid = self.order(
            arguments=[str(argument) for argument in arguments],
            code=code,
            chatitive=chatitive,
            output=str(self.output),
        )
        self.alive.add(pid)
        return Forked(pid, self)

    def kill_all(self) -> None:
        """Kill what still runs, as a test leaves it that fails."""
        for pid in self.alive:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.alive.clear()

    def order(self, **order: Any) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], SECONDS_TO_END)
        assert ready, f"no answer to {order}"
        return int(self._process.stdout.readline() or self._process.communicate()[1])
