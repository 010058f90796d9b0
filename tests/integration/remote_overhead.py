"""What the way to an engine elsewhere costs: one recipe built here, over ssh, and over ssh with a delay.

python -m tests.integration.remote_overhead

The engine elsewhere is a second one on this machine, so the work takes as long as here, and what is more is
the way. It is built in a new workspace each time: the first time images and inputs go over, then they are
there. Prints a line for each: seconds in all, in jobs, and between them.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from dockyard.workflow import build
from tests.integration.conftest import new_workspace
from tests.integration.second_engine import CONTEXT, SecondEngine
from tests.integration.test_build import DIGITS

DELAY_S = 0.05
RECIPE = {**DIGITS, "optimizations": ["baseline", "int8"]}


def slow_down(second: SecondEngine) -> None:
    """Have ssh's connections go by a line that takes DELAY_S each way."""
    line = Path(__file__).with_name("slow_line.py")
    config = second.root / "ssh_config"
    config.write_text(f"{config.read_text()}    ProxyCommand {sys.executable} {line} %h %p {DELAY_S}\n")


def timed(folder: Path, name: str, context: str | None) -> None:
    """Build the recipe in a workspace of its own, and tell how long it took."""
    workspace = new_workspace(folder / name.replace(" ", "-"))
    recipe = folder / "digits.json"
    recipe.write_text(json.dumps(RECIPE))
    built = build(workspace, str(recipe), Console(quiet=True), engine="docker", context=context)
    whole = built.host_s + built.jobs_s
    print(f"{name}: {whole:.1f} s, {built.jobs_s:.1f} in jobs, {built.host_s:.1f} between", flush=True)


def main() -> None:
    second = SecondEngine()
    try:
        os.environ.update(second.environment)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            timed(folder, "here", None)
            timed(folder, "here again", None)
            timed(folder, "over ssh", CONTEXT)
            timed(folder, "over ssh again", CONTEXT)
            slow_down(second)
            timed(folder, "over ssh with 50 ms each way", CONTEXT)
    finally:
        second.close()


if __name__ == "__main__":
    main()
