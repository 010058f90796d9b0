"""The program trtexec at work: it builds engines, and reads the clocks of one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Deque, Dict, List, Optional, Sequence, Tuple

from engine_wish import Wish
from trtexec_commands import build_command, clock_command
from trtexec_output import read_clocks, read_summary, why_failed

from shared.contract.errors import DockyardError, EnvironmentProblem

NAME = "trtexec"
PLACES = (Path("/usr/src/tensorrt/bin"),)
"""Where NVIDIA's packages and images have it."""

CLOCK_S = 3.0
LONGEST_LINE, SHOWN_LINES, KEPT_LINES = 2000, 20_000, 2000
"""Characters of a line that are kept; lines that go into the job's log; and lines that are looked at, so many
of the first and of the last."""


@dataclass(frozen=True)
class Ended:
    """How a run of trtexec ended.

    Attributes:
        status: its exit status; below 0 the signal that ended it.
        log: the first and the last lines of what it printed.
    """

    status: int
    log: str

    @property
    def reason(self) -> str:
        """Why it failed."""
        if self.status < 0:
            return f"signal {-self.status} ended trtexec; 9 often means that memory was short"
        return why_failed(self.log) or f"trtexec ended with status {self.status} and gives no reason"


def find_program(places: Sequence[Path] = PLACES) -> Optional[str]:
    """Return where trtexec is: on the PATH, or where NVIDIA puts it; None where it is not."""
    return shutil.which(NAME) or next((str(one / NAME) for one in places if (one / NAME).is_file()), None)


def no_program() -> EnvironmentProblem:
    """Return the error that there is no trtexec."""
    places = ", ".join(str(place / NAME) for place in PLACES)
    advice = "take an image that has it (-devel), or the option builder: python"
    return EnvironmentProblem(f"there is no trtexec on the PATH, nor {places}", "", advice)


def run(command: Sequence[str]) -> Ended:
    """Run trtexec to its end, each line of it printed into the job's log as it comes."""
    first: List[str] = []
    last: Deque[str] = deque(maxlen=KEPT_LINES)
    count = 0
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            while True:
                line = process.stdout.readline(LONGEST_LINE)
                if not line:
                    break
                count += 1
                (first if count <= KEPT_LINES else last).append(line.rstrip("\n"))
                if count <= SHOWN_LINES:
                    print(f"trtexec: {line.rstrip()}", file=sys.stdout, flush=True)
        except BaseException:  # whoever asked for it is told to end: it would be waited for
            process.kill()
            raise
    return Ended(process.returncode, "\n".join([*first, *last]))


class TrtexecBuilder:
    """Builds engines by trtexec.

    Args:
        program: its path.
        release: of TensorRT.
    """

    name = "trtexec"

    def __init__(self, program: str, release: str) -> None:
        self._program, self._release = program, release

    def build(self, wish: Wish, engine: Path) -> str:
        with TemporaryDirectory() as folder:
            layers = Path(folder) / "layers.json"
            ended = run(build_command(self._program, self._release, wish, engine, layers))
            if ended.status != 0 or not engine.is_file():
                raise ValueError(ended.reason)
            return layers.read_text(errors="replace") if layers.is_file() else ""


@dataclass(frozen=True)
class ClockReading:
    """What trtexec's clocks say of an engine.

    Attributes:
        remarks: sentences for the report; why there are no times, too.
        details: medians in milliseconds by clock, and queries a second.
    """

    remarks: Tuple[str, ...]
    details: Dict[str, float]


def read_engine_clocks(program: Optional[str], release: str, engine: Path) -> ClockReading:
    """Run an engine for CLOCK_S by trtexec and return what its clocks say; what fails is a remark.

    Args:
        program: None where there is none.
    """
    if program is None:
        return ClockReading(("without trtexec, its clocks were not read",), {})
    with TemporaryDirectory() as folder:
        times = Path(folder) / "times.json"
        try:
            ended = run(clock_command(program, release, engine, times, CLOCK_S))
            if ended.status != 0:
                raise ValueError(ended.reason)
            clocks = read_clocks(times.read_text(errors="replace"))
        except (OSError, ValueError, DockyardError) as error:
            reason = " ".join(str(error).split())
            return ClockReading((f"trtexec's clocks could not be read: {reason}",), {})
    summary = read_summary(ended.log)
    by_clock = {
        "to_gpu_ms": clocks.to_gpu_ns,
        "gpu_ms": clocks.gpu_ns,
        "from_gpu_ms": clocks.from_gpu_ns,
        "host_ms": clocks.host_ns,
    }
    medians = {name: median(values) / 1e6 for name, values in by_clock.items()}
    told = (
        f"trtexec's clocks, medians: to the GPU {medians['to_gpu_ms']:.2f} ms, on it "
        f"{medians['gpu_ms']:.2f}, back {medians['from_gpu_ms']:.2f}"
    )
    if summary.queries_per_s is not None:
        medians["queries_per_s"] = summary.queries_per_s
    return ClockReading((told, *summary.remarks), medians)
