"""A line that takes its time, as ssh's ProxyCommand: slow_line.py HOST PORT SECONDS

What comes is handed on SECONDS later, in both directions; how much goes at a time is not bounded.
"""

from __future__ import annotations

import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable

CHUNK = 1 << 16


def hand_on(read: Callable[[], bytes], write: Callable[[bytes], object], delay_s: float) -> None:
    """Hand on what is read until it ends, each part delay_s after it came."""
    waiting: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()

    def deliver() -> None:
        while True:
            due, part = waiting.get()
            time.sleep(max(0.0, due - time.monotonic()))
            if not part:
                return
            write(part)

    writer = threading.Thread(target=deliver)
    writer.start()
    part = b"begin"
    while part:
        part = read()
        waiting.put((time.monotonic() + delay_s, part))
    writer.join()


def write_all(part: bytes) -> None:
    while part:
        part = part[os.write(sys.stdout.fileno(), part) :]


def main(host: str, port: int, delay_s: float) -> None:
    with socket.create_connection((host, port)) as line:
        out = threading.Thread(
            target=hand_on,
            args=(lambda: os.read(sys.stdin.fileno(), CHUNK), line.sendall, delay_s),
            daemon=True,
        )
        out.start()
        hand_on(lambda: line.recv(CHUNK), write_all, delay_s)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
