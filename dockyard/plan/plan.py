"""A plan: every job of a recipe, in order, with where its inputs come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dockyard.recipe.targets import REFERENCE_TARGET, Preparation, Target
from dockyard.recipe.workspace import Workspace
from shared.contract.dataset import SPLITS
from shared.contract.job import Job
from shared.contract.model import DataLocation, Network, Pipeline, follows_every
from shared.contract.recipe import Optimization, Recipe

REFERENCE_VARIANT = "reference"

COMBINED = "+"
"""Between the names of the networks' variants in the name of a pipeline's."""


@dataclass(frozen=True)
class GraphInput:
    """The graph of a model as it came."""

    network: str


@dataclass(frozen=True)
class OutputInput:
    """What an earlier job left: all of it, or one file.

    Attributes:
        is_optional: the job runs without it where the earlier one did not succeed.
    """

    job_id: str
    file: str | None = None
    is_optional: bool = False


@dataclass(frozen=True)
class DataInput:
    """A split of a model's data set."""

    model: str
    split: str


@dataclass(frozen=True)
class ClipInput:
    """The folder with the video that a pipeline reads, and what is true of its frames where that is known."""

    model: str


@dataclass(frozen=True)
class TuningInput:
    """A network's tuning databases for a target."""

    network: str
    target: str


JobInput = GraphInput | OutputInput | DataInput | ClipInput | TuningInput


@dataclass(frozen=True)
class PlannedJob:
    """A job and where each of its inputs comes from.

    Attributes:
        inputs: by path below the job's `inputs/`.
        variant: which variant the job is for; None for a conversion, which is for all of a toolchain,
            and for a prediction, which decides nothing.
        round: the number of the measuring round, in which it runs beside the model's other variants; None for
            a job that measures no time.
        group: which of those that wait together, where memory does not hold all of them.
        time_limit_s: where a search's budget ends before the recipe's limit.
    """

    job: Job
    inputs: Mapping[str, JobInput]
    variant: str | None
    round: int | None = None
    group: int = 1
    time_limit_s: int | None = None

    @property
    def needs(self) -> list[str]:
        """Ids of the jobs without whose outputs this one cannot run."""
        outputs = (source for source in self.inputs.values() if isinstance(source, OutputInput))
        return [source.job_id for source in outputs if not source.is_optional]


@dataclass(frozen=True)
class Plan:
    """What a recipe will do.

    Attributes:
        targets: the recipe's own first, and those that its optimizations name.
        toolchain: the recipe's; a variant's own is in its optimization, as is its target.
        networks: by name, in the order they are measured, as the recipe's conversion has them run.
        conversions: the options of each network's conversion for the recipe's own target; others have none.
        pipeline: or None.
        optimizations: what the recipe asks for, by the variant's name; target and toolchain filled in.
        jobs: in the order they run; a search goes on from there.
    """

    workspace: Workspace
    recipe: Recipe
    targets: Mapping[str, Target]
    toolchain: str
    reference_toolchain: str
    networks: Mapping[str, Network]
    conversions: Mapping[str, Mapping[str, Any]]
    pipeline: Pipeline | None
    optimizations: Mapping[str, Optimization]
    jobs: tuple[PlannedJob, ...]

    @property
    def target(self) -> Target:
        """The recipe's."""
        return self.targets[self.recipe.target]

    @property
    def models(self) -> list[str]:
        """The networks, then the pipeline."""
        return [*self.networks, *([self.pipeline.name] if self.pipeline else [])]

    @property
    def variants(self) -> list[str]:
        """The reference, then the variants."""
        return [REFERENCE_VARIANT, *self.optimizations]

    @property
    def toolchains(self) -> list[tuple[str, str]]:
        """The (target, toolchain) pairs that its jobs run in."""
        return list(dict.fromkeys((planned.job.target, planned.job.toolchain) for planned in self.jobs))

    @property
    def device_toolchains(self) -> list[tuple[str, str]]:
        """Those of `toolchains` that are run on the device that is measured on."""
        targets = {REFERENCE_TARGET, *self.targets}
        return [(target, toolchain) for target, toolchain in self.toolchains if target in targets]

    @property
    def preparers(self) -> set[str]:
        """The targets that prepare what its device compiles."""
        preparations = map(self.preparation_of, self.optimizations.values())
        return {preparation.target for preparation in preparations if preparation is not None}

    def preparation_of(self, optimization: Optimization) -> Preparation | None:
        """Return what prepares for a resolved optimization's toolchain; None where it does all by itself."""
        return self.targets[optimization.target].toolchains[optimization.toolchain].preparation

    def is_pipeline(self, model: str) -> bool:
        return self.pipeline is not None and model == self.pipeline.name

    def network_variants(self, model: str, variant: str) -> dict[str, str]:
        """Return the variant of each network that a model's variant is made of.

        A pipeline's variant has every network in the variant of that name, or is a combination `int8+fp16`,
        in the order of its networks.
        """
        names = list(self.networks) if self.is_pipeline(model) else [model]
        chosen = variant.split(COMBINED) if COMBINED in variant else [variant] * len(names)
        return dict(zip(names, chosen, strict=True))

    def data_of(self, model: str) -> DataLocation:
        """Return where a model's data set is."""
        if self.pipeline is not None and model == self.pipeline.name:
            return self.pipeline.data
        return self.networks[model].data

    def answering_network(self, model: str) -> Network:
        """Return the network whose answers are held against a model's data; a pipeline's is its last."""
        if self.pipeline is not None and model == self.pipeline.name:
            return self.networks[self.pipeline.nodes[-1].network]
        return self.networks[model]

    def first_network(self, model: str) -> Network:
        """Return the network that is given a model's images; of a pipeline the first."""
        if self.pipeline is not None and model == self.pipeline.name:
            return self.networks[self.pipeline.nodes[0].network]
        return self.networks[model]

    def annotated_network(self, model: str) -> Network:
        """Return the network that a model's data is annotated for.

        Where a pipeline reads every object it is the one that finds them; else the one that answers.
        """
        if self.pipeline is not None and model == self.pipeline.name and follows_every(self.pipeline.nodes):
            return self.networks[self.pipeline.nodes[0].network]
        return self.answering_network(model)

    def splits_of(self, model: str) -> tuple[str, ...]:
        """Return the splits that are used: a pipeline is only tested, and a stream's pipeline on its clip."""
        if self.reads_clip(model):
            return ()
        return ("test",) if self.is_pipeline(model) else SPLITS

    def reads_clip(self, model: str) -> bool:
        """Tell whether a model is a pipeline that reads a video, in the place of single images."""
        return self.recipe.stream is not None and self.is_pipeline(model)
