"""The outcomes of one variant of one model, as its record is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from dockyard.plan.jobs import compile_id, configure_id, convert_id, evaluate_id, optimize_id, predict_id
from dockyard.plan.plan import REFERENCE_VARIANT, Plan
from dockyard.recipe.targets import REFERENCE_TARGET
from dockyard.run.outcome import Outcome
from shared.contract.measurement import Latency, Quality, Throughput
from shared.contract.recipe import Optimization
from shared.contract.record import PreparedArtifact, RecordedArtifact, Round
from shared.contract.result import OutputDifference, Result, Status
from shared.contract.stages import CLOCKED, CONVERT, EVALUATE

NO_RESULT = Result(Status.FAILED)
"""What is taken from an outcome that has no result."""


@dataclass(frozen=True)
class Work:
    """What was done for one variant of one model.

    Attributes:
        optimizations: the optimization of each network; none for the reference.
        conversions: outcomes of each network's `convert`, where there are any.
        to_onnx: what each of those converts, where the reference made ONNX of the graph first.
        made: outcomes of each network's `optimize`, and of its `compile` where there is one.
        own: outcomes of the model's and variant's own jobs, in the order they came.
        evaluated: None where it did not come so far.
        measured: the rounds that were measured.
        prediction: of its quality; None where there is none.
        configured: how its stream runs; None where it has none.
    """

    model: str
    variant: str
    is_pipeline: bool
    is_stream: bool
    optimizations: Mapping[str, Optimization]
    conversions: Mapping[str, Outcome]
    to_onnx: Mapping[str, Outcome]
    made: Mapping[str, tuple[Outcome, ...]]
    own: tuple[Outcome, ...]
    evaluated: Outcome | None
    measured: tuple[Outcome, ...]
    prediction: Outcome | None = None
    configured: Outcome | None = None

    @property
    def first_failure(self) -> Outcome | None:
        """The first job that is not done; a pipeline's own jobs carry on what its networks' came to."""
        before = () if self.is_pipeline else self.conversions.values()
        return next((outcome for outcome in (*before, *self.own) if outcome.status != Status.DONE), None)

    @property
    def representative_result(self) -> Result:
        """The first result that says on what it ran: a round's, the evaluation's or that of the bad job."""
        candidates = (*self.measured, self.evaluated, self.first_failure)
        return next((outcome.result for outcome in candidates if outcome and outcome.result), NO_RESULT)

    @property
    def executor(self) -> str:
        """The executor that measured it, or came nearest to it; empty where none ran."""
        return next((outcome.executor for outcome in self._nearest_first if outcome and outcome.executor), "")

    @property
    def place(self) -> Mapping[str, str]:
        """What is known of the engine that `executor` names."""
        return next((outcome.place for outcome in self._nearest_first if outcome and outcome.place), {})

    @property
    def _nearest_first(self) -> tuple[Outcome | None, ...]:
        made = chain.from_iterable(self.made.values())
        rest = (*self.own, *made, *self.conversions.values())
        return (*self.measured, self.evaluated, *rest)

    @property
    def identity(self) -> Mapping[str, str]:
        """What identifies the toolchain that it ran in."""
        targets = {optimization.target for optimization in self.optimizations.values()} or {REFERENCE_TARGET}
        own = (outcome for outcome in self.own if outcome.planned.job.target in targets)
        return next((outcome.identity for outcome in own if outcome.identity), {})

    @property
    def prepared(self) -> Outcome | None:
        """What another toolchain made for the variant's own to compile; None where it does all itself."""
        targets = {optimization.target for optimization in self.optimizations.values()}
        steps = (steps[0] for steps in self.made.values())
        return next((step for step in steps if step.planned.job.target not in targets), None)

    @property
    def quality(self) -> Quality | None:
        """That of the evaluation."""
        return self.evaluated.result.quality if self.evaluated and self.evaluated.result else None

    @property
    def predicted(self) -> Quality | None:
        """That of the prediction."""
        return self.prediction.result.quality if self.prediction and self.prediction.result else None

    @property
    def rounds(self) -> tuple[Round, ...]:
        """What was measured, round by round."""
        found = []
        for outcome in self.measured:
            planned, result = outcome.planned, outcome.result
            if planned.round is not None and result is not None and result.measurement is not None:
                is_stream = isinstance(result.measurement, Throughput)
                peak_mb = result.peak_mb if is_stream else None
                found.append(Round(planned.round, result.measurement, planned.group, peak_mb))
        return tuple(found)

    @property
    def dataset_ns(self) -> tuple[int, ...]:
        """One call, or one pass, for each test sample, in nanoseconds."""
        measured = self.evaluated.result.measurement if self.evaluated and self.evaluated.result else None
        return measured.totals_ns if isinstance(measured, Latency) else ()

    @property
    def differences(self) -> tuple[OutputDifference, ...]:
        """Each output beside the reference's: of the converted graphs, then of the artifact."""
        outcomes = (*self.conversions.values(), self.evaluated)
        results = [outcome.result for outcome in outcomes if outcome and outcome.result]
        return tuple(row for result in results for row in result.differences)

    @property
    def optimize_s(self) -> float:
        """Seconds that making the artifacts took; of a stream, with the search for its settings."""
        made = [*chain.from_iterable(self.made.values()), self.configured]
        return sum(outcome.result.duration_s for outcome in made if outcome and outcome.result)

    def artifact_of(self, network: str) -> RecordedArtifact | None:
        """Return what was made of a network last, with what it was compiled of; None where nothing was."""
        kept: list[PreparedArtifact] = []
        for step in self.made.get(network, ()):
            if step.status == Status.DONE and step.result is not None:
                kept.append(PreparedArtifact(step.result.artifact, step.cache_key))
        if not kept:
            return None
        prepared = kept[0] if len(kept) > 1 else None
        return RecordedArtifact(kept[-1].artifact, kept[-1].cache_key, prepared)

    @property
    def settings_artifact(self) -> RecordedArtifact | None:
        """How its stream runs; None where it has none, or none was found."""
        configured = self.configured
        if configured is None or configured.status != Status.DONE or configured.result is None:
            return None
        return RecordedArtifact(configured.result.artifact, configured.cache_key)

    @property
    def artifact_mismatch(self) -> str:
        """Which job measured other bytes than those of the artifact; empty where none did."""
        made = {network: self.artifact_of(network) for network in self.made}
        if self.configured is not None:
            made[self.model] = self.settings_artifact
        for network, artifact in made.items():
            expected = artifact.artifact.sha256 if artifact else None
            for outcome in self.own:
                loaded = outcome.result.measured.get(network) if outcome.result else None
                is_measuring = outcome.planned.job.stage.name in (EVALUATE.name, *CLOCKED)
                if is_measuring and loaded != expected:
                    return f"{outcome.planned.job.id} measured {loaded}, not the artifact {expected}"
        return ""


def work_on(plan: Plan, model: str, variant: str, done: Mapping[str, Outcome]) -> Work:
    """Return what was done for a variant of a model, by the outcomes of all jobs, by job id."""
    optimizations: dict[str, Optimization] = {}
    conversions: dict[str, Outcome] = {}
    to_onnx: dict[str, Outcome] = {}
    made: dict[str, tuple[Outcome, ...]] = {}
    for network, own_variant in plan.network_variants(model, variant).items():
        if own_variant == REFERENCE_VARIANT:
            continue
        optimization = optimizations[network] = plan.optimizations[own_variant]
        converted = convert_id(network, optimization.target, optimization.toolchain)
        if converted in done:
            conversions[network] = done[converted]
            before = (done[need] for need in done[converted].planned.needs if need in done)
            for outcome in before:
                if outcome.planned.job.stage == CONVERT:
                    to_onnx[network] = outcome
        steps = (optimize_id(network, own_variant), compile_id(network, own_variant))
        found = tuple(done[step] for step in steps if step in done)
        if found:
            made[network] = found
    own = tuple(outcome for outcome in done.values() if _is_of(outcome, model, variant))
    return Work(
        model=model,
        variant=variant,
        is_pipeline=plan.is_pipeline(model),
        is_stream=plan.reads_clip(model),
        optimizations=optimizations,
        conversions=conversions,
        to_onnx=to_onnx,
        made=made,
        own=own,
        evaluated=done.get(evaluate_id(model, variant)),
        measured=tuple(outcome for outcome in own if _is_measured_round(outcome)),
        prediction=done.get(predict_id(model, variant)),
        configured=done.get(configure_id(model, variant)),
    )


def _is_of(outcome: Outcome, model: str, variant: str) -> bool:
    return (outcome.planned.job.model, outcome.planned.variant) == (model, variant)


def _is_measured_round(outcome: Outcome) -> bool:
    return outcome.planned.job.stage.name in CLOCKED and outcome.status == Status.DONE
