"""The tutorial, typed as it stands."""

from __future__ import annotations

import csv
import json
import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

TUTORIAL = ROOT / "docs" / "tutorial.md"
HANGS_AFTER_S = 3600

COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CLOCK = re.compile(r"^clock (\d+) (\d+)$", re.MULTILINE)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def test_every_command_of_the_tutorial_does_what_it_says(
    docker_executor: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Typed one after the other in one shell, with another folder and port, the tutorial's commands end in a
    container that reads an image rightly. The clock that is printed is what the tutorial takes here.
    """
    folder = tmp_path / "our-models"
    text = TUTORIAL.read_text(encoding="utf-8").replace("8080", str(free_port()))
    blocks = COMMANDS.findall(text.replace("~/our-models", str(folder)))
    assert len(blocks) == text.count("\n```sh\n") >= 8
    timed = [f"{block}echo\necho clock {number} $SECONDS\n" for number, block in enumerate(blocks, 1)]
    environment = {name: value for name, value in os.environ.items() if name != "DOCKYARD_WORKSPACE"}
    try:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "".join(timed)],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=HANGS_AFTER_S,
        )
    finally:
        if (folder / "delivery" / "install.sh").exists():
            subprocess.run([folder / "delivery" / "install.sh", "uninstall"], check=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    clock = ", ".join(f"{number}: {at} s" for number, at in CLOCK.findall(done.stdout))
    with capsys.disabled():
        print(f"\nthe tutorial's clock, block by block: {clock}")
    (answer,) = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"model"')]
    (found,) = answer["found"]
    rows = csv.DictReader((folder / "models" / "first" / "data" / "test" / "labels.csv").open())
    assert found["class"] == next(row["label"] for row in rows if row["file"] == "images/000.png")
    assert "recommended" in done.stdout
    assert "signed by" in done.stdout
