"""Candidates built and measured in processes of their own, here or on machines at an RPC tracker."""

from __future__ import annotations

import os
import socket
import struct
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Protocol, Sequence, Tuple

import numpy as np
import tvm
from compilation import link
from tvm.rpc import base
from tvm.s_tir import meta_schedule as ms
from tvm.support.popen_pool import PopenPoolExecutor, StatusKind
from tvm.target import Target

from shared.contract.stages import Tracker

BUILD_TIMEOUT_S = 20.0
"""Seconds that a candidate may take to build."""

BUILDS_PER_PROCESS = 256
"""Candidates that one process builds before it is replaced: it keeps some memory of each of them."""

MIN_REPEAT_MS = 20
"""Milliseconds that a measurement lasts at least: a shorter one times the clock and the waking of threads."""

TRACKER_TIMEOUT_S = 5.0
"""Seconds that a tracker may take to answer."""

SESSION_TIMEOUT_S = 30.0
"""Seconds that a candidate waits for a free machine at most."""

ATTEMPTS = 2
"""Machines that a candidate is tried on at most, each after the one before failed.

A candidate that crashes ends TVM's RPC server on its machine for good.
"""

OWN_FAULTS = ("RPCSessionTimeoutError", "Error caught from RPC call")
"""Parts of the messages that blame the candidate, not its machine: it took too long, or raised an error."""


class NoMachine(Exception):
    """There is no machine to measure on."""


def load_compiler() -> None:
    """Import what builds a candidate, before a candidate's time counts."""
    from tvm.driver import build  # noqa: F401
    from tvm.s_tir.transform import RemoveWeightLayoutRewriteBlock  # noqa: F401


def build_one(module: Any, target: Any) -> str:
    """Build a candidate in a worker into a shared library of its own folder; return its path."""
    from tvm.driver import build
    from tvm.s_tir.transform import RemoveWeightLayoutRewriteBlock

    library = build(RemoveWeightLayoutRewriteBlock(skip_tensor_rewrite=True)(module), target=target)
    path = os.path.join(tempfile.mkdtemp(), "candidate.so")
    library.export_library(path, fcompile=link)
    return path


class Machines(Protocol):
    """What candidates run on."""

    def run(self, inputs: List[Any]) -> List[Optional[float]]:
        """Return the shortest time of each candidate in seconds, or None.

        Raises:
            NoMachine: there is none any more.
        """


class Bench:
    """Builds candidates and measures their times.

    Args:
        target: the CPU that they are built for.
        runner: how they are measured: the method's options `number`, `repeat` and `timeout_s`.
        tracker: the tracker of the machines that measure; None for this machine.

    Raises:
        NoMachine: the tracker does not answer or knows no machine with that key.
    """

    def __init__(self, target: Target, runner: Mapping[str, Any], tracker: Optional[Tracker]) -> None:
        self._target = target
        self._builders = PopenPoolExecutor(
            len(os.sched_getaffinity(0)),
            BUILD_TIMEOUT_S,
            load_compiler,
            maximum_process_uses=BUILDS_PER_PROCESS,
        )
        evaluator = ms.runner.EvaluatorConfig(runner["number"], runner["repeat"], MIN_REPEAT_MS)
        self._machines: Machines
        if tracker is None:
            self._machines = ThisMachine(evaluator, runner["timeout_s"])
        else:
            self._machines = MachinesAtTracker(tracker, evaluator, runner["timeout_s"])

    def measure(self, modules: Sequence[Any], arguments: Any) -> List[Optional[float]]:
        """Return the seconds of the fastest measurement of each candidate.

        One that cannot be built or run has None.

        Args:
            modules: the candidates, each a module with one function.
            arguments: MetaSchedule's description of the function's arguments, the same for all.

        Raises:
            NoMachine: none is left of those at the tracker.
        """
        built = self._build(modules)
        inputs = [ms.runner.RunnerInput(path, "cpu", arguments) for path in built if path]
        times = iter(self._machines.run(inputs))
        for path in built:
            if path:
                Path(path).unlink()
                Path(path).parent.rmdir()
        return [next(times) if path else None for path in built]

    def _build(self, modules: Sequence[Any]) -> List[str]:
        """Return the path of each candidate's library; empty for one that cannot be built."""
        wanted = [(module, self._target) for module in modules]
        answers = list(self._builders.map_with_error_catching(lambda one: build_one(*one), wanted))
        return [str(answer.value) if answer.status == StatusKind.COMPLETE else "" for answer in answers]


class ThisMachine:
    """Runs candidates here, one after the other.

    Args:
        evaluator: MetaSchedule's description of a measurement.
        timeout_s: seconds that a candidate may take.
    """

    def __init__(self, evaluator: Any, timeout_s: int) -> None:
        self._runner = ms.runner.LocalRunner(timeout_sec=timeout_s, evaluator_config=evaluator)

    def run(self, inputs: List[Any]) -> List[Optional[float]]:
        """Return the shortest time of each candidate in seconds, or None."""
        return [fastest(future.result()) for future in self._runner.run(inputs)]


class MachinesAtTracker:
    """Runs candidates on the machines that registered at a tracker, one on each at a time.

    Args:
        tracker: the address where the machines registered, and the key that they registered with.
        evaluator: MetaSchedule's description of a measurement.
        timeout_s: seconds that a candidate may take, sending it included.

    Raises:
        NoMachine: there is none.
    """

    def __init__(self, tracker: Tracker, evaluator: Any, timeout_s: int) -> None:
        self._tracker, self._timeout_s = tracker, timeout_s
        self._count = registered(tracker)
        host, port = address_of(tracker)
        config = ms.runner.RPCConfig(
            tracker_host=host,
            tracker_port=port,
            tracker_key=tracker.key,
            session_timeout_sec=timeout_s,
        )
        self._runner = ms.runner.RPCRunner(config, evaluator, f_alloc_argument=random_arguments)
        self._use(self._count)

    def run(self, inputs: List[Any]) -> List[Optional[float]]:
        """Return the shortest time of each candidate in seconds, or None.

        One whose machine fails is run again on another.

        Raises:
            NoMachine: none is left, or none of those that are there runs anything.
        """
        found: Dict[int, Optional[float]] = {}
        last_message = ""
        for _ in range(ATTEMPTS):
            left = [i for i in range(len(inputs)) if i not in found]
            if not left:
                break
            count = registered(self._tracker)
            if count != self._count:
                self._use(count)
            futures = self._runner.run([inputs[i] for i in left])
            results = [future.result() for future in futures]
            for index, result in zip(left, results):
                if ran(result):
                    found[index] = fastest(result)
            last_message = (results[-1].error_msg or "").strip().rpartition("\n")[2]
        if len(found) < len(inputs):
            registered(self._tracker)
        if inputs and not found:
            at = f"with the key {self._tracker.key} at the tracker {self._tracker.address}"
            raise NoMachine(f"no machine {at} could run anything: {last_message}")
        return [found.get(i) for i in range(len(inputs))]

    def _use(self, count: int) -> None:
        """Use as many processes as there are machines.

        They get a time limit: without one they would wait for ever.
        """
        self._runner.pool.shutdown()
        self._runner.pool = PopenPoolExecutor(count, SESSION_TIMEOUT_S + self._timeout_s)
        self._count = count


def random_arguments(session: Any, device: Any, described: Sequence[Any], repeat: int) -> List[List[Any]]:
    """Return random arguments of a function, on a machine, for each of its measurements.

    MetaSchedule's own way needs a library that TVM's runtime alone does not load.

    Args:
        described: kind, dtype and shape of each argument.
        repeat: how many sets of arguments to make.
    """
    rng = np.random.default_rng(0)
    found = []
    for _ in range(repeat):
        arrays = [rng.random(shape).astype(dtype) for _, dtype, shape in described]
        found.append([tvm.runtime.tensor(array, device) for array in arrays])
    return found


def ran(result: Any) -> bool:
    """Tell whether a candidate had its turn on a machine that is well, whatever came of it."""
    return result.error_msg is None or any(fault in result.error_msg for fault in OWN_FAULTS)


def fastest(result: Any) -> Optional[float]:
    """Return the shortest measurement in seconds: what else runs on the machine only makes them longer."""
    return None if result.error_msg is not None else min(float(s) for s in result.run_secs)


def address_of(tracker: Tracker) -> Tuple[str, int]:
    """Return host and port of a tracker's `host:port`, where an IPv6 host stands in brackets."""
    host, _, port = tracker.address.rpartition(":")
    return host.strip("[]"), int(port)


def registered(tracker: Tracker) -> int:
    """Return how many machines a tracker has under its key.

    TVM's own client tries for a minute to reach a tracker, and waits for its answer for ever.

    Raises:
        NoMachine: there is none, or the tracker does not answer.
    """
    try:
        with socket.create_connection(address_of(tracker), TRACKER_TIMEOUT_S) as connection:
            connection.sendall(struct.pack("<i", base.RPC_TRACKER_MAGIC))
            if base.recvall(connection, 4) != struct.pack("<i", base.RPC_TRACKER_MAGIC):
                raise OSError("it is no tracker of TVM")
            base.sendjson(connection, [base.TrackerCode.SUMMARY])
            _, summary = base.recvjson(connection)
    except (OSError, ValueError, OverflowError) as error:
        raise NoMachine(f"the tracker {tracker.address} does not answer: {error}") from None
    keys = [server["key"] for server in summary["server_info"]]
    count = keys.count(f"server:{tracker.key}")
    if count == 0:
        raise NoMachine(f"the tracker {tracker.address} has no machine with the key {tracker.key}")
    return count
