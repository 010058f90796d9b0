"""What data generators have in common: a folder that appears only when complete, workers, command line."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2

Progress = Callable[[int, int], None]
Task = tuple[str, str, int]
"""The folder to write below, the split, the index of the picture within it."""


def fill(
    output: Path,
    folders: Iterable[str],
    sizes: dict[str, int],
    make: Callable[[Task], Any],
    finish: Callable[[Path, Sequence[Any]], None],
    workers: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Write a data set under `output`, which appears only when complete; a folder already there is refused.

    Args:
        folders: to make below `output`, `/SPLIT` in their names standing for each split.
        sizes: pictures of each split.
        make: writes one picture, in a process of its own, and returns what `finish` needs of it.
        finish: writes what is left when all pictures are there; their results come in no order.
        workers: processes, one for each processor by default.
        progress: called with the number of pictures done and their total.
    """
    with appearing(output) as part:
        for folder in folders:
            for split in sizes:
                (part / folder.replace("SPLIT", split)).mkdir(parents=True)
        tasks: list[Task] = []
        for split, size in sizes.items():
            tasks += [(str(part), split, index) for index in range(size)]
        results = []
        with multiprocessing.get_context("spawn").Pool(workers or os.cpu_count() or 1, _start_worker) as pool:
            for result in pool.imap_unordered(make, tasks, chunksize=8):
                results.append(result)
                if progress is not None:
                    progress(len(results), len(tasks))
        finish(part, results)


@contextmanager
def appearing(output: Path) -> Iterator[Path]:
    """Yield a folder to fill, which becomes `output` when it is complete, and is removed where it is not.

    Raises:
        FileExistsError: `output` is there already.
    """
    if output.exists():
        raise FileExistsError(f"{output} exists already")
    output.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        part.chmod(0o755)  # mkdtemp lets only its owner in, and containers read the data too
        yield part
        part.rename(output)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _start_worker() -> None:
    """Leave an interrupt to the main process, which ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)  # there is a worker for each processor already


class Printer:
    """Prints progress as JSON lines, at most one in half a second and always the last."""

    def __init__(self, what: str = "generate images") -> None:
        self._what = what
        self._last = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done < total and now - self._last < 0.5:
            return
        self._last = now
        message = {"what": self._what, "done": done, "total": total}
        print(json.dumps({"dockyard_progress": message}), flush=True)


def command_line(description: str | None, generate: Callable[[Path, int | None, Progress], None]) -> None:
    """Read `--output` and `--workers` and generate, as `run_to_end` does."""
    options = option_parser(description).parse_args()
    run_to_end(lambda: generate(options.output, options.workers, Printer()))


def option_parser(description: str | None) -> argparse.ArgumentParser:
    """Return the parser of the options that every generator has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--output", type=Path, required=True, help="folder to make")
    parser.add_argument("--workers", type=int, default=None, help="at once (default: one a processor)")
    return parser


def run_to_end(generate: Callable[[], None]) -> None:
    """Generate; an interrupt ends with exit code 130 and leaves nothing."""
    # Python ends at once on SIGTERM; as an exception it lets `appearing` remove what is half done.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        generate()
    except KeyboardInterrupt:
        sys.exit(130)
