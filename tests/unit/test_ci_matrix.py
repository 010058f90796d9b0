"""What GitHub's workflow runs can be run by hand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

from tests.conftest import ROOT

SCRIPT = ROOT / ".ci" / "matrix.py"


def script(*arguments: str, devices: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DOCKYARD_DEVICES": devices}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_cells_are_those_that_have_a_runner() -> None:
    """A recipe whose device has no runner is left out, and that is said; what names none is always in."""
    done = script("cells", "digits", "lp_jetson")
    assert [cell["recipe"] for cell in json.loads(done.stdout)["include"]] == ["digits"]
    assert done.stderr.splitlines()[-1] == "left out: lp_jetson, for the device jetson"
    with_runner = json.loads(script("cells", "lp_jetson", devices="nano jetson").stdout)["include"]
    assert [(cell["target"], cell["device"]) for cell in with_runner] == [("l4t-tensorrt", "jetson")]
    unknown = script("cells", "digts")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr.startswith("there is no recipe 'digts'; there are damage_intel,")


def test_the_workflow_takes_steps_that_the_script_has() -> None:
    """Each step of the workflow is one that the script takes by hand."""
    steps = re.findall(r"\.ci/matrix\.py (\w+)", (ROOT / ".github" / "workflows" / "matrix.yml").read_text())
    assert set(steps) == {"cells", "measure", "report", "compare"}
    for step in steps:
        assert script(step, "--help").returncode == 0
