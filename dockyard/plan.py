"""The plan: every job of a recipe, in order, with where its inputs come from. Pure: it reads, it runs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dockyard import catalog, documents
from dockyard.catalog import REFERENCE, Target
from shared.contract.dataset import SPLITS
from shared.contract.errors import InputProblem, nearest
from shared.contract.job import Job
from shared.contract.model import Network, Pipeline
from shared.contract.recipe import Optimization, Recipe

REFERENCE_METHOD = "reference"


@dataclass(frozen=True)
class Source:
    """Where an input of a job comes from.

    Attributes:
        kind: `graph` (a model's folder), `output` (what an earlier job left), `data` (a split of a model's data).
        name: the model, the earlier job's id, or the model whose data it is.
        part: a file of the output, or the split.
    """

    kind: str
    name: str
    part: str = ""


@dataclass(frozen=True)
class Planned:
    """A job and the source of each of its paths below `inputs/`."""

    job: Job
    sources: Mapping[str, Source]
    variant: str
    round: int = 0

    @property
    def needs(self) -> list[str]:
        """Ids of the jobs whose outputs this one takes."""
        return [s.name for s in self.sources.values() if s.kind == "output"]


@dataclass(frozen=True)
class Plan:
    """What a recipe will do.

    Attributes:
        networks: by name, in the order they are measured.
        pipeline: or None.
        methods: the optimization of each variant, by the variant's name.
        jobs: in the order they run.
    """

    recipe: Recipe
    target: Target
    toolchain: str
    reference_toolchain: str
    networks: Mapping[str, Network]
    pipeline: Pipeline | None
    methods: Mapping[str, Optimization]
    jobs: tuple[Planned, ...]

    @property
    def models(self) -> list[str]:
        """The networks, then the pipeline."""
        return [*self.networks, *([self.pipeline.name] if self.pipeline else [])]

    @property
    def variants(self) -> list[str]:
        """The reference, then the variants."""
        return [REFERENCE_METHOD, *self.methods]

    def data_of(self, model: str) -> Mapping[str, Any]:
        """Return the `data` entry of a model's model.json."""
        if self.pipeline is not None and model == self.pipeline.name:
            return self.pipeline.data
        return self.networks[model].data

    def task_of(self, model: str) -> str:
        """Return the task that a model's data is annotated for (a pipeline's is reading)."""
        return self.networks[model].task if model in self.networks else "reading"

    def splits_of(self, model: str) -> tuple[str, ...]:
        """Return the splits that are used: a pipeline is only tested."""
        return SPLITS if model in self.networks else ("test",)

    def round(self, number: int) -> list[Planned]:
        """Return the measuring jobs of one round: for each model the reference and every variant in turn."""
        return [_benchmark(self, model, variant, number) for model in self.models for variant in self.variants]


def make_plan(recipe: Recipe, only: str | None = None) -> Plan:
    """Make the plan of a recipe; every error of the input is found here, before anything runs.

    Args:
        recipe: as read.
        only: a method of the recipe to which the plan is cut down (beside the reference), or None.

    Raises:
        InputProblem: unknown model, target, toolchain, method or option, a graph that does not fit its model.json.
    """
    where = recipe.file
    target = catalog.load_target(recipe.target, f"{where}: $.target")
    if recipe.target == REFERENCE:
        raise InputProblem(
            f"'{REFERENCE}' is the reference, not a target to optimize for",
            f"{where}: $.target",
            "every plan measures it beside the variants",
        )
    toolchain = recipe.toolchain or target.toolchains[0]
    if toolchain not in target.toolchains:
        raise InputProblem(f"{target.name} has no toolchain '{toolchain}'", f"{where}: $.toolchain", nearest(toolchain, target.toolchains))
    model = catalog.load_model(recipe.model, f"{where}: $.model")
    networks = _networks(model, where)
    if recipe.data is not None:
        catalog.data_folder(recipe)
    methods = _methods(recipe, target)
    if only is not None:
        if only not in methods:
            raise InputProblem(f"the recipe has no optimization '{only}'", where, nearest(only, methods))
        methods = {only: methods[only]}
    reference = catalog.load_target(REFERENCE, where)
    plan = Plan(recipe, target, toolchain, reference.toolchains[0], networks, model if isinstance(model, Pipeline) else None, methods, ())
    jobs = [job for network in networks.values() for job in _preparation(plan, network)]
    for number in range(1, recipe.measure.rounds + 1):
        jobs += plan.round(number)
    return replace(plan, jobs=tuple(jobs))


def _networks(model: Any, where: str) -> dict[str, Network]:
    if isinstance(model, Network):
        return {model.name: model}
    networks: dict[str, Network] = {}
    for name, task in zip(model.networks, ("detection", "reading")):
        network = catalog.load_model(name, f"models/{model.name}/model.json: $.pipeline")
        if not isinstance(network, Network) or network.task != task:
            raise InputProblem(
                f"'{name}' is no network of the task {task}",
                f"models/{model.name}/model.json: $.pipeline",
                "a pipeline is a detector and a reader, in this order",
            )
        networks[name] = network
    return networks


def _methods(recipe: Recipe, target: Target) -> dict[str, Optimization]:
    methods: dict[str, Optimization] = {}
    for number, optimization in enumerate(recipe.optimizations):
        place = f"$.optimizations[{number}]"
        method = optimization.method
        if method not in target.methods:
            raise InputProblem(f"{target.name} has no method '{method}'", f"{recipe.file}: {place}", nearest(method, target.methods))
        schema = target.option_schema(method)
        options = dict(optimization.options)
        if "max_drop" in schema.get("properties", {}):
            options.setdefault("max_drop", recipe.requirements.max_drop)
        documents.check(options, schema, recipe.file, place)
        same = sum(o.method == method for o in methods.values())
        methods[f"{method}-{same + 1}" if same else method] = Optimization(method, options)
    return methods


def _job(plan: Plan, model: str, variant: str, stage: str, sources: Mapping[str, Source], **fields: Any) -> Planned:
    reference = variant == REFERENCE_METHOD
    optimization = plan.methods.get(variant, Optimization(REFERENCE_METHOD))
    number = fields.pop("round", 0)
    measure = plan.recipe.measure
    names = list(plan.networks) if plan.pipeline is not None and model == plan.pipeline.name else [model]
    job = Job(
        id="/".join(filter(None, (model, variant, stage, str(number) if number else ""))),
        stage=stage,
        model=model,
        target=REFERENCE if reference else plan.target.name,
        toolchain=plan.reference_toolchain if reference else plan.toolchain,
        method=optimization.method if variant in plan.methods else (REFERENCE_METHOD if reference else ""),
        networks={name: plan.networks[name].to_json() for name in names},
        artifacts={name: f"inputs/{name}" for name in names},
        measure={
            "threads": measure.threads,
            "runs": measure.runs,
            "warmup": measure.warmup,
            "seconds": measure.seconds,
            "images": measure.images,
        },
        **fields,
    )
    return Planned(job, sources, variant, number)


def _preparation(plan: Plan, network: Network) -> list[Planned]:
    """The jobs before the measuring rounds: reference, conversion, then each variant made and evaluated."""
    name = network.name
    test = Source("data", name, "test")
    graph = Source("graph", name)
    reference_id = f"{name}/{REFERENCE_METHOD}/evaluate"
    reference_outputs = Source("output", reference_id, "reference.npz")
    jobs = [_job(plan, name, REFERENCE_METHOD, "evaluate", {name: graph, "data/test": test}, data={"test": "inputs/data/test"})]
    if plan.target.source == "onnx":
        convert_to_onnx = _job(
            plan, name, REFERENCE_METHOD, "convert", {name: graph, "reference.npz": reference_outputs}, reference="inputs/reference.npz"
        )
        jobs.append(convert_to_onnx)
        graph = Source("output", convert_to_onnx.job.id)
    convert = _job(plan, name, "", "convert", {name: graph, "reference.npz": reference_outputs}, reference="inputs/reference.npz")
    jobs.append(convert)
    for variant, optimization in plan.methods.items():
        splits = plan.target.methods[optimization.method].get("data", [])
        sources = {name: Source("output", convert.job.id)}
        sources.update({f"data/{split}": Source("data", name, split) for split in splits})
        optimize = _job(
            plan,
            name,
            variant,
            "optimize",
            sources,
            options=optimization.options,
            data={split: f"inputs/data/{split}" for split in splits},
        )
        evaluate = _job(
            plan,
            name,
            variant,
            "evaluate",
            {name: Source("output", optimize.job.id), "data/test": test, "reference.npz": reference_outputs},
            data={"test": "inputs/data/test"},
            reference="inputs/reference.npz",
        )
        jobs += [optimize, evaluate]
    return jobs


def _benchmark(plan: Plan, model: str, variant: str, number: int) -> Planned:
    reference = variant == REFERENCE_METHOD

    def artifact(name: str) -> Source:
        return Source("graph", name) if reference else Source("output", f"{name}/{variant}/optimize")

    if model in plan.networks:
        sources = {
            model: artifact(model),
            "reference.npz": Source("output", f"{model}/{REFERENCE_METHOD}/evaluate", "reference.npz"),
        }
        return _job(plan, model, variant, "benchmark", sources, reference="inputs/reference.npz", round=number)
    assert plan.pipeline is not None
    sources = {name: artifact(name) for name in plan.networks}
    sources["data/test"] = Source("data", model, "test")
    return _job(
        plan,
        model,
        variant,
        "benchmark",
        sources,
        data={"test": "inputs/data/test"},
        crop_margin=plan.pipeline.crop_margin,
        round=number,
    )
