"""The search through MetaSchedule's own space: the schedules that its rules generate, by evolution."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence

from candidates import Candidate
from tvm.s_tir import meta_schedule as ms
from tvm.s_tir.meta_schedule.runner import RunnerResult
from tvm.target import Target

SEED = 1
NO_END = 1 << 30
"""Trials that the search is told it has: the tuning ends it."""


class RuleSearch:
    """A search through the schedules of one function that MetaSchedule's default rules for CPUs generate.

    Args:
        module: the module with the function.
        costs: MetaSchedule's cost model, shared by all functions.
        records: a MetaSchedule database of what is known already.
        target: the CPU that the schedules are for.
        threads: number of threads that may search.
        batch: candidates that are proposed at once.
    """

    def __init__(
        self, module: Any, costs: Any, records: Any, target: Target, threads: int, batch: int
    ) -> None:
        self._context = ms.TuneContext(
            mod=module,
            target=target,
            space_generator="post-order-apply",
            search_strategy="evolutionary",
            rand_state=SEED,
            num_threads=threads,
        ).clone()
        self._costs, self._records, self._batch, self._begun = costs, records, batch, False
        self._tried: List[Any] = []

    def propose(self, count: int) -> List[Candidate]:
        """Return candidates that were not tried before; fewer where there are no more."""
        if not self._begun:
            self._context.pre_tuning(NO_END, self._batch, None, self._records, self._costs)
            self._begun = True
        self._tried = list(self._context.generate_measure_candidates() or ())[:count]
        return [Candidate(candidate.sch) for candidate in self._tried]

    def learn(self, seconds: Sequence[Optional[float]]) -> None:
        """Take over the times of the candidates that were proposed last; None for one that has none."""
        results = [RunnerResult(None, "no time") if s is None else RunnerResult([s], None) for s in seconds]
        if self._tried:
            self._context.notify_runner_results(self._tried, results)
            self._costs.update(self._context, self._tried, results)
