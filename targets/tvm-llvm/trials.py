"""Candidates built and measured in processes of their own, on this machine or on others through an RPC tracker."""

from __future__ import annotations

import os
import socket
import struct
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import tvm
from compilation import link
from tvm.rpc import base
from tvm.s_tir import meta_schedule as ms
from tvm.support.popen_pool import PopenPoolExecutor, StatusKind
from tvm.target import Target

BUILD_TIMEOUT_S = 20.0

BUILDS_PER_PROCESS = 256
"""A process that compiles keeps some memory of every candidate."""

MIN_REPEAT_MS = 20
"""Milliseconds that a measurement takes at least: shorter ones measure the clock and the waking of threads."""

TRACKER_TIMEOUT_S = 5.0

SESSION_TIMEOUT_S = 30.0
"""What a candidate waits for a machine at most."""

ATTEMPTS = 2
"""Machines that a candidate is tried on, should they fail under it: one that crashes ends TVM's RPC server for good."""

OWN_FAULTS = ("RPCSessionTimeoutError", "Error caught from RPC call")
"""In the messages of a machine that is well: the candidate took too long, or raised an error."""


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


class Bench:
    """Builds candidates and takes their times.

    Args:
        target: that they are built for.
        runner: `number`, `repeat` and `timeout_s` of a measurement.
        tracker, key: `host:port` of an RPC tracker and the key of the machines that measure; empty for this machine.

    Raises:
        NoMachine: the tracker does not answer or knows no machine with that key.
    """

    def __init__(self, target: Target, runner: Mapping[str, Any], tracker: str, key: str) -> None:
        self._target = target
        self._builders = PopenPoolExecutor(
            len(os.sched_getaffinity(0)), BUILD_TIMEOUT_S, load_compiler, maximum_process_uses=BUILDS_PER_PROCESS
        )
        evaluator = ms.runner.EvaluatorConfig(runner["number"], runner["repeat"], MIN_REPEAT_MS)
        self._machines = Machines(tracker, key, evaluator, runner["timeout_s"]) if tracker else ThisMachine(evaluator, runner["timeout_s"])

    def measure(self, modules: Sequence[Any], arguments: Any) -> List[Optional[float]]:
        """Return the seconds of the fastest measurement of each candidate, or None for one that cannot be built or run.

        Args:
            arguments: MetaSchedule's description of the function's arguments, the same for all.

        Raises:
            NoMachine: none is left of those at the tracker.
        """
        built = self._build(modules)
        times = iter(self._machines.run([ms.runner.RunnerInput(path, "cpu", arguments) for path in built if path]))
        for path in built:
            if path:
                Path(path).unlink()
                Path(path).parent.rmdir()
        return [next(times) if path else None for path in built]

    def _build(self, modules: Sequence[Any]) -> List[str]:
        """Return the library of each candidate, or an empty text."""
        answers = self._builders.map_with_error_catching(lambda one: build_one(*one), [(m, self._target) for m in modules])
        return [str(answer.value) if answer.status == StatusKind.COMPLETE else "" for answer in answers]


class ThisMachine:
    """Runs candidates here, one after the other.

    Args:
        evaluator: MetaSchedule's description of a measurement.
        timeout_s: of a candidate.
    """

    def __init__(self, evaluator: Any, timeout_s: int) -> None:
        self._runner = ms.runner.LocalRunner(timeout_sec=timeout_s, evaluator_config=evaluator)

    def run(self, inputs: List[Any]) -> List[Optional[float]]:
        """Return the shortest time of each candidate in seconds, or None."""
        return [fastest(future.result()) for future in self._runner.run(inputs)]


class Machines:
    """Runs candidates on the machines that registered at a tracker, one on each at a time.

    Args:
        tracker, key: where the machines registered, and as what.
        evaluator: MetaSchedule's description of a measurement.
        timeout_s: of a candidate, sending it included.

    Raises:
        NoMachine: there is none.
    """

    def __init__(self, tracker: str, key: str, evaluator: Any, timeout_s: int) -> None:
        self._tracker, self._key, self._timeout_s = tracker, key, timeout_s
        self._count = registered(tracker, key)
        host, port = address_of(tracker)
        config = ms.runner.RPCConfig(tracker_host=host, tracker_port=port, tracker_key=key, session_timeout_sec=timeout_s)
        self._runner = ms.runner.RPCRunner(config, evaluator, f_alloc_argument=random_arguments)
        self._use(self._count)

    def run(self, inputs: List[Any]) -> List[Optional[float]]:
        """Return the shortest time of each candidate in seconds, or None; one whose machine fails is run again on another.

        Raises:
            NoMachine: none is left, or none of those that are there runs anything.
        """
        found: Dict[int, Optional[float]] = {}
        told = ""
        for _ in range(ATTEMPTS):
            left = [i for i in range(len(inputs)) if i not in found]
            if not left:
                break
            count = registered(self._tracker, self._key)
            if count != self._count:
                self._use(count)
            results = [future.result() for future in self._runner.run([inputs[i] for i in left])]
            found.update({i: fastest(r) for i, r in zip(left, results) if r.error_msg is None or any(f in r.error_msg for f in OWN_FAULTS)})
            told = (results[-1].error_msg or "").strip().rpartition("\n")[2]
        if len(found) < len(inputs):
            registered(self._tracker, self._key)
        if inputs and not found:
            raise NoMachine(f"no machine with the key {self._key} at the tracker {self._tracker} could run anything: {told}")
        return [found.get(i) for i in range(len(inputs))]

    def _use(self, count: int) -> None:
        """Keep as many processes as there are machines; without a limit of its own one would wait for a machine for ever."""
        self._runner.pool.shutdown()
        self._runner.pool = PopenPoolExecutor(count, SESSION_TIMEOUT_S + self._timeout_s)
        self._count = count


def random_arguments(session: Any, device: Any, described: Sequence[Any], repeat: int) -> List[List[Any]]:
    """Make a function's arguments on a machine; MetaSchedule's own way needs a library that TVM's runtime alone does not load."""
    rng = np.random.default_rng(0)
    return [[tvm.runtime.tensor(rng.random(shape).astype(dtype), device) for _, dtype, shape in described] for _ in range(repeat)]


def fastest(result: Any) -> Optional[float]:
    """Return the shortest measurement in seconds: whatever else runs on the machine only makes them longer."""
    return None if result.error_msg is not None else min(float(s) for s in result.run_secs)


def address_of(tracker: str) -> Tuple[str, int]:
    """Return host and port of `host:port`, where an IPv6 host stands in brackets."""
    host, _, port = tracker.rpartition(":")
    return host.strip("[]"), int(port)


def registered(tracker: str, key: str) -> int:
    """Return how many machines a tracker has under a key.

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
        raise NoMachine(f"the tracker {tracker} does not answer: {error}") from None
    count = sum(server["key"] == f"server:{key}" for server in summary["server_info"])
    if count == 0:
        raise NoMachine(f"the tracker {tracker} has no machine with the key {key}")
    return count
