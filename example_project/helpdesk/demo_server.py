"""The demo's server: `runserver`'s own, in a thread of a process with an environment of its own."""

import os
import socket
import sys
import threading
from pathlib import Path
from typing import Self
from urllib.parse import quote

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.management.base import CommandError
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

SOCKET = "HELPDESK_DEMO_SOCKET"
"""The environment variable that hands the open socket on."""


def start_again_in_own_environment(port: int, database: Path) -> None:
    """Replace this process by one whose settings name the demo's database and port.

    Settings come from the environment and are read once, so they can't be changed from here. The
    socket is handed on open, so that nobody else can take the port meanwhile.
    """
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{database} can't be made: {error}.") from None
    try:
        listening = socket.create_server(("127.0.0.1", port), backlog=128)
    except (OSError, OverflowError) as error:
        raise CommandError(
            f"Port {port} can't be used: {error}. Without --port any free one is taken."
        ) from None
    listening.set_inheritable(True)
    os.environ.update(
        DEBUG="true",
        ALLOWED_HOSTS="127.0.0.1",
        SITE_URL=f"http://127.0.0.1:{listening.getsockname()[1]}",
        DATABASE_URL=f"sqlite:///{quote(database.resolve().as_posix())}",
    )
    os.environ.pop("CHATITIVE_API_URL", None)  # by default it is the sandbox at SITE_URL
    os.environ[SOCKET] = str(listening.detach())
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 -- itself


class DemoServer(ThreadedWSGIServer):
    """Serves the project and its static files on the socket handed on, from `with` to its end."""

    def __init__(self) -> None:
        listening = socket.socket(fileno=int(os.environ[SOCKET]))
        listening.set_inheritable(False)
        super().__init__(listening.getsockname(), WSGIRequestHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.server_name, self.server_port = self.server_address
        self.setup_environ()
        self.set_app(StaticFilesHandler(WSGIHandler()))
        self.thread = threading.Thread(target=self.serve_forever, args=[0.1], daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()
