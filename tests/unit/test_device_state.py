"""A device's clocks, heat and throttling are in the record, and the report says what changed in a round."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.engines.device_facts import ASK_POWER_MODE, ASK_RELEASE, ASK_STATISTICS
from dockyard.engines.preflight import MAX_STATISTICS, observe
from dockyard.judge.device_changes import changes, changes_by_round
from dockyard.recipe.targets import Platform
from dockyard.report.remarks import remarks_on_device
from shared.contract.device import AFTER, BEFORE, ROUNDS
from shared.harness.machine_state import read_state
from tests.builders import assessment, record

ORIN = {
    "class/thermal/thermal_zone0/type": "cpu-thermal",
    "class/thermal/thermal_zone0/temp": "51250",
    "class/thermal/thermal_zone1/type": "tj-thermal",
    "class/thermal/thermal_zone1/temp": "-256000",
    "class/thermal/thermal_zone2/type": "tj-thermal",
    "class/thermal/thermal_zone2/temp": "",
    "class/thermal/cooling_device0/type": "pwm-fan",
    "class/thermal/cooling_device0/cur_state": "1",
    "class/thermal/cooling_device1/type": "cpufreq-cpu0",
    "class/thermal/cooling_device1/cur_state": "0",
    "class/thermal/cooling_device2/type": "cpufreq-cpu0",
    "class/thermal/cooling_device2/cur_state": "3",
    "class/devfreq/17000000.gpu/cur_freq": "918000000",
    "class/devfreq/17000000.gpu/min_freq": "306000000",
    "class/devfreq/17000000.gpu/max_freq": "918000000",
    "class/devfreq/17000000.gpu/governor": "nvhost_podgov",
    "class/hwmon/hwmon3/name": "soctherm_oc",
    "class/hwmon/hwmon3/oc1_event_cnt": "0",
    "class/hwmon/hwmon3/oc3_event_cnt": "17",
    "class/hwmon/hwmon4/name": "ina3221",
}


def sys_with(folder: Path, files: Mapping[str, str]) -> Path:
    """Make a folder that stands for /, with these files below sys."""
    for path, text in files.items():
        file = folder / "sys" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    return folder


def policy(number: int, now: int, most: int = 1984000) -> dict[str, str]:
    """A group of CPUs with one clock, in kHz."""
    folder = f"devices/system/cpu/cpufreq/policy{number}"
    limits = {"scaling_min_freq": "729600", "scaling_max_freq": str(most), "scaling_governor": "schedutil"}
    return {f"{folder}/{name}": text for name, text in {**limits, "scaling_cur_freq": str(now)}.items()}


def test_the_state_of_a_board(tmp_path: Path) -> None:
    """Of a board with a GPU, zones, clocks, what cools and what throttles is read by name and in one unit."""
    cpus = {**policy(0, 1984000), **policy(4, 729600), **policy(8, 1190400, 1190400)}
    assert read_state(sys_with(tmp_path, {**ORIN, **cpus})) == {
        "temperatures_c": {"cpu-thermal": 51.25, "tj-thermal": -256.0},
        "clocks_mhz": {
            "policy0": {"governor": "schedutil", "now": 729.6, "least": 729.6, "most": 1984.0},
            "policy8": {"governor": "schedutil", "now": 1190.4, "least": 729.6, "most": 1190.4},
            "17000000.gpu": {"governor": "nvhost_podgov", "now": 918.0, "least": 306.0, "most": 918.0},
        },
        "cooling": {"pwm-fan": 1, "cpufreq-cpu0 2": 3},
        "throttle_counts": {"soctherm_oc oc1_event_cnt": 0, "soctherm_oc oc3_event_cnt": 17},
    }


def test_the_state_of_a_server(tmp_path: Path) -> None:
    """The throttling of a server's CPUs is counted together."""
    counts = {
        f"devices/system/cpu/cpu{number}/thermal_throttle/core_throttle_count": str(number)
        for number in range(12)
    }
    assert read_state(sys_with(tmp_path, counts)) == {"throttle_counts": {"core_throttle_count": 66}}


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    """Where nothing can be read nothing is made up, and what this machine tells is JSON."""
    assert read_state(tmp_path) == {}
    here = read_state()
    assert json.loads(json.dumps(here)) == here


def state(**changed: Any) -> dict[str, Any]:
    clock = {"now": 918.0, "least": 306.0, "most": 918.0, "governor": "g"}
    return {"clocks_mhz": {"gpu": clock}, "cooling": {"pwm-fan": 1}, "throttle_counts": {"oc1": 4}, **changed}


def clock(**changed: Any) -> dict[str, Any]:
    known = {"now": 918.0, "least": 306.0, "most": 918.0, "governor": "g"}
    return {"clocks_mhz": {"gpu": {**known, **changed}}}


def quota(periods: int, throttled: int) -> dict[str, Any]:
    return state(quota={"cpus": 0.5, "periods": periods, "throttled": throttled})


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        (state(), state(), []),
        (state(), state(**clock(now=306.0)), []),
        (state(), state(cooling={"pwm-fan": 3}), []),
        (state(), state(cooling={"cpufreq-cpu0": 1}), ["the device throttled (cpufreq-cpu0)"]),
        (state(cooling={"gpu-throttle-alert": 1}), state(), ["the device throttled (gpu-throttle-alert)"]),
        (state(), state(throttle_counts={"oc1": 5}), ["the device throttled (oc1)"]),
        (state(), state(**clock(most=612.0)), ["the limits of the clock of gpu changed"]),
        (state(), state(**clock(governor="h")), ["the limits of the clock of gpu changed"]),
        (
            state(**clock(least=918.0)),
            state(**clock(least=918.0, now=600.0)),
            ["the clock of gpu, which is held, fell"],
        ),
        (state(**clock(least=918.0)), state(**clock(least=918.0, now=0)), []),
        (state(power_mode="MAXN"), state(power_mode="15W"), ["the power mode changed"]),
        (quota(4, 4), quota(520, 4), []),
        (quota(4, 4), quota(520, 25), ["the quota of 0.5 CPUs stopped the processes in some of its periods"]),
        (
            quota(4, 4),
            quota(520, 512),
            ["the quota of 0.5 CPUs stopped the processes in most of its periods"],
        ),
        (state(), quota(520, 512), []),
        (state(power_mode="MAXN"), state(), []),
    ],
)
def test_what_changed(before: Mapping[str, Any], after: Mapping[str, Any], wanted: list[str]) -> None:
    """Throttling, other limits and a held clock that fell are seen; fans and clocks that follow the load are
    none of that.
    """
    assert list(changes(before, after)) == wanted


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    BEFORE,
                    AFTER,
                    "round",
                    "cooling",
                    "clocks_mhz",
                    "throttle_counts",
                    "now",
                    "least",
                    "most",
                    "quota",
                    "cpus",
                    "periods",
                    "throttled",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.lists(ANYTHING, max_size=3) | ANYTHING)
def test_whatever_a_container_says_of_its_device(told: Any) -> None:
    """What a record says of the device's states may have any form."""
    for change in changes_by_round(record(device={"cpu": "fake", ROUNDS: told})):
        assert isinstance(change, str)


def test_the_report_says_it_once() -> None:
    """What happened to the device is said once for a model, with the rounds; of a quiet one nothing is."""
    hot, cool = state(cooling={"cpufreq-cpu0": 2}), state()
    rows = []
    for variant, first in (("int8", cool), ("fp16", hot)):
        rounds = [
            {"round": 1, "group": 1, BEFORE: cool, AFTER: first},
            {"round": 2, "group": 1, BEFORE: cool, AFTER: hot},
        ]
        rows.append(assessment(variant, device={"cpu": "fake", ROUNDS: rounds}))
    (remark,) = remarks_on_device(rows)
    wanted = "the device throttled (cpufreq-cpu0) in rounds 1, 2: milliseconds hold for that alone"
    assert (remark.subject, remark.text.startswith(wanted)) == ("", True)
    quiet = assessment(device={"cpu": "fake", ROUNDS: [{"round": 1, BEFORE: cool, AFTER: cool}]})
    assert remarks_on_device([quiet, assessment()]) == []


def test_a_jetson_is_observed() -> None:
    """What only the device's own programs tell is asked where a toolchain is for it alone, and is bounded."""
    answers = {
        ASK_RELEASE: "# R36 (release), REVISION: 4.3, GCID: 1",
        ASK_POWER_MODE: "NV Power Mode: MAXN\n0\n",
        ASK_STATISTICS: "RAM 2448/7620MB CPU [1%@1510] GR3D_FREQ 0% tj@50.1C\n" + "x" * 5000,
    }
    jetson = Platform(l4t_from="36.4")
    found = observe([Platform(), jetson], answers.get)
    assert (found["l4t"], found["power_mode"]) == ("36.4.3", "MAXN")
    assert found["tegrastats"].startswith("RAM 2448/7620MB")
    assert len(found["tegrastats"]) == MAX_STATISTICS
    assert observe([jetson], lambda command: None) == {}
    assert observe([Platform()], answers.get) == {}
