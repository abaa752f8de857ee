"""A server that answers 202 to whatever it is sent: the fastest API that there can be.

python -m benchmarks.server --delay 0.05
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Accepting(asyncio.Protocol):
    """One kept-alive connection, each of whose requests is answered after `delay` seconds."""

    def __init__(self, delay: float, tell: bool) -> None:
        self.delay = delay
        self.tell = tell
        self.unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.unread += data
        while (end := self.unread.find(b"\r\n\r\n") + 4) > 3:
            length = LENGTH.search(self.unread, 0, end)
            whole = end + (int(length[1]) if length else 0)
            if len(self.unread) < whole:
                return
            self.unread = self.unread[whole:]
            if self.tell:
                print(time.monotonic(), flush=True)
            if self.delay:
                asyncio.get_running_loop().call_later(self.delay, self.transport.write, ANSWER)
            else:
                self.transport.write(ANSWER)


async def serve(delay: float, tell: bool) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Accepting(delay, tell), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def serving(*, delay: float = 0.0, tell: bool = False) -> Iterator[tuple[int, Iterator[float]]]:
    """The port of a server in a process of its own, and when each request arrived if it tells.

    The moments are of `time.monotonic()`, which the processes of a machine share.
    """
    command = [sys.executable, "-m", "benchmarks.server", "--delay", str(delay)]
    with subprocess.Popen(
        [*command, *(["--tell"] if tell else [])], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield int(process.stdout.readline()), map(float, process.stdout)
        finally:
            process.terminate()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.0, help="seconds")
    parser.add_argument("--tell", action="store_true", help="print when each request arrived")
    given = parser.parse_args()
    asyncio.run(serve(given.delay, given.tell))
