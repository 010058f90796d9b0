"""The reader of a DeepStream pipeline on a real GStreamer, in a process of its own.

It loads Debian's libraries into this Python, and a process of tests that had done so crashed much later.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

TESTS = Path(__file__).with_name("deepstream_program.py")

LOOK = """
import sys
sys.path[:0] = [{root!r}, {pipeline!r}]
from gstreamer import Gst
Gst.init(None)
sys.exit(0 if Gst.ElementFactory.find("avdec_h264") else 3)
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this Python with arguments."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_reader_on_a_real_gstreamer() -> None:
    """Its tests pass, all of them; without GStreamer here they are left out."""
    look = LOOK.format(root=str(ROOT), pipeline=str(ROOT / "targets" / "deepstream-pipeline"))
    if run("-c", look).returncode != 0:
        pytest.skip("no GStreamer with H.264 for this Python: `./inv doctor` names its packages")
    ran = run("-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS))
    assert ran.returncode == 0, ran.stdout[-5000:]
    assert " passed" in ran.stdout
    assert "skipped" not in ran.stdout
