"""A database that fails: connections that are cut, a server that crashes, a file that is locked."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from django.core.management import call_command
from django.db import DatabaseError, connection

from tests.acceptance.processes import wait_until
from tests.fault_server import closed_port

LOCK_TIMEOUT = 0.3
"""Seconds that the workers wait for SQLite's write lock."""
LOCKED_FOR = 0.5


def cut_connections() -> None:
    """End every other connection to the test database; on SQLite hold the write lock too long."""
    match connection.vendor:
        case "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        case "mysql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT id FROM information_schema.processlist "
                    "WHERE db = DATABASE() AND id <> CONNECTION_ID()"
                )
                for (number,) in cursor.fetchall():
                    with suppress(DatabaseError):  # it has ended by itself
                        cursor.execute("KILL %s", [number])
        case _:
            with LockedFile() as file:
                file.crash()
                time.sleep(LOCKED_FOR)


def reaching(**changes: Any) -> str:
    """Code that has a worker open its database with these settings."""
    return f"""
from django.db import connections
connections.settings["default"].update({changes!r})
"""


def impatient() -> str:
    """Code that has a worker wait shortly for SQLite's lock; nothing elsewhere."""
    if connection.vendor != "sqlite":
        return ""
    return reaching(OPTIONS={**connection.settings_dict["OPTIONS"], "timeout": LOCK_TIMEOUT})


class LockedFile:
    """SQLite has no server: its outage is a program that doesn't let go of the write lock."""

    def __enter__(self) -> Self:
        self._holder = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
        self.code = impatient()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._holder.close()

    def crash(self) -> None:
        self._holder.execute("BEGIN IMMEDIATE")

    def start(self) -> None:
        self._holder.execute("ROLLBACK")


class PrivateServer:
    """A database server of the test's own, on which the running test's connection opens anew."""

    owner: str
    """Whom of this machine it runs as, where the tests run as root."""
    admin: str
    maintenance: str

    def __enter__(self) -> Self:
        self.directory = Path(tempfile.mkdtemp(prefix="chatitive-server-"))
        self.port = closed_port()
        self._as = {"user": self.owner} if os.geteuid() == 0 else {}
        if self._as:
            shutil.chown(self.directory, self.owner)
        self._before = dict(connection.settings_dict)
        self.create()
        self.start()
        try:
            self._move_in()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.use(**self._before)
        self.crash()
        shutil.rmtree(self.directory)

    def _move_in(self) -> None:
        address = {"HOST": "127.0.0.1", "PORT": self.port, "USER": self.admin, "PASSWORD": ""}
        self.use(**address, NAME=self.maintenance)
        with connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE chatitive")
        self.use(NAME="chatitive")
        call_command("migrate", verbosity=0)
        self.code = reaching(**address, NAME="chatitive")

    def use(self, **changes: Any) -> None:
        connection.close()
        connection.settings_dict.update(changes)

    def run(self, *command: object) -> None:
        words = [str(each) for each in command]
        done = subprocess.run(words, check=False, capture_output=True, cwd="/", **self._as)
        assert done.returncode == 0, done.stderr

    def create(self) -> None:
        """Make a data directory."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the server, after a crash too."""
        raise NotImplementedError

    def crash(self) -> None:
        """End the server at once; what it has confirmed stays."""
        raise NotImplementedError


class PrivatePostgreSQL(PrivateServer):
    owner = admin = "postgres"
    maintenance = "postgres"

    def create(self) -> None:
        initdb = shutil.which("initdb") or max(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        self._bin = Path(initdb).resolve().parent
        self._data = self.directory / "data"
        self.run(initdb, "-D", self._data, "-U", self.admin, "-A", "trust", "--no-sync")

    def start(self) -> None:
        options = f"-p {self.port} -k {self.directory} -h 127.0.0.1 -F"
        log = self.directory / "log"
        self.run(self._bin / "pg_ctl", "-D", self._data, "-w", "-l", log, "-o", options, "start")

    def crash(self) -> None:
        self.run(self._bin / "pg_ctl", "-D", self._data, "-m", "immediate", "stop")


class PrivateMariaDB(PrivateServer):
    owner, admin = "mysql", "root"
    maintenance = "mysql"

    def create(self) -> None:
        self._data = self.directory / "data"
        command = ["mariadb-install-db", "--no-defaults", f"--datadir={self._data}"]
        self.run(*command, "--auth-root-authentication-method=normal", "--skip-test-db")

    def start(self) -> None:
        command = ["mariadbd", "--no-defaults", f"--datadir={self._data}", f"--port={self.port}"]
        command += ["--bind-address=127.0.0.1", f"--socket={self.directory / 'socket'}"]
        with (self.directory / "log").open("ab") as log:
            self._server = subprocess.Popen(command, stderr=log, cwd="/", **self._as)
        wait_until(self._listens)

    def crash(self) -> None:
        self._server.send_signal(signal.SIGKILL)
        self._server.wait()

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False


UNSTABLE = {"sqlite": LockedFile, "postgresql": PrivatePostgreSQL, "mysql": PrivateMariaDB}
"""What can be crashed and started again, for each kind of database."""
