"""The plan: every job of a recipe, in order, with where its inputs come from. Pure: it reads, it runs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dockyard.plan.conversion import conversion_options
from dockyard.recipe import catalog, documents
from dockyard.recipe.catalog import REFERENCE, Target
from dockyard.recipe.places import MODELS
from shared.contract.dataset import SPLITS
from shared.contract.errors import InputProblem, nearest
from shared.contract.job import Job
from shared.contract.model import Model, Network, Pipeline
from shared.contract.recipe import Optimization, Recipe

REFERENCE_METHOD = "reference"
ONNX_GRAPH = "model.onnx"
"""What the reference's `convert` leaves."""

COMBINED = "+"
"""Between the names of the networks' variants in the name of a pipeline's."""


@dataclass(frozen=True)
class Source:
    """Where an input of a job comes from.

    Attributes:
        kind: `graph` (a model's folder), `output` (what an earlier job left), `data` (a split of a model's data),
            `tuning` (a model's tuning databases for a target).
        name: the model, the earlier job's id, or the model whose data it is.
        part: a file of the output, the split, or the target.
    """

    kind: str
    name: str
    part: str = ""


@dataclass(frozen=True)
class Planned:
    """A job and the source of each of its paths below `inputs/`; `time_limit_s` where a search's budget ends before the recipe's limit."""

    job: Job
    sources: Mapping[str, Source]
    variant: str
    round: int = 0
    time_limit_s: int | None = None

    @property
    def needs(self) -> list[str]:
        """Ids of the jobs whose outputs this one takes."""
        return [s.name for s in self.sources.values() if s.kind == "output"]


@dataclass(frozen=True)
class Plan:
    """What a recipe will do.

    Attributes:
        targets: the recipe's and those that its optimizations name.
        toolchain: the recipe's; a variant's own is in its optimization, as is its target.
        networks: by name, in the order they are measured, as the recipe's conversion has them run.
        conversions: the options of each network's conversion for the recipe's own target; other targets convert without.
        pipeline: or None.
        methods: the optimization of each variant, by the variant's name.
        jobs: in the order they run; a search goes on from there.
    """

    recipe: Recipe
    targets: Mapping[str, Target]
    toolchain: str
    reference_toolchain: str
    networks: Mapping[str, Network]
    conversions: Mapping[str, Mapping[str, Any]]
    pipeline: Pipeline | None
    methods: Mapping[str, Optimization]
    jobs: tuple[Planned, ...]

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
        return [REFERENCE_METHOD, *self.methods]

    @property
    def toolchains(self) -> list[tuple[str, str]]:
        """The (target, toolchain) pairs that its jobs run in."""
        return list(dict.fromkeys((p.job.target, p.job.toolchain) for p in self.jobs))

    def parts(self, model: str, variant: str) -> dict[str, str]:
        """Return the variant of each network that a model's variant is made of.

        A pipeline's variant has every network in the variant of that name, or is a combination `int8+fp16`, in the
        order of its networks.
        """
        names = [model] if model in self.networks else list(self.networks)
        chosen = variant.split(COMBINED) if COMBINED in variant else [variant] * len(names)
        return dict(zip(names, chosen, strict=True))

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
        return [measure_once(self, model, variant, number) for model in self.models for variant in self.variants]


def make_plan(recipe: Recipe, only: str | None = None) -> Plan:
    """Make the plan of a recipe; every error of the input is found here, before anything runs.

    Args:
        recipe: as read.
        only: a method of the recipe to which the plan is cut down (beside the reference), or None.

    Raises:
        InputProblem: unknown model, target, toolchain, method or option, a graph that does not fit its model.json.
    """
    where = recipe.file
    targets = _targets(recipe)
    target = targets[recipe.target]
    toolchain = _toolchain(target, recipe.toolchain or target.default_toolchain, f"{where}: $.toolchain")
    model = catalog.load_model(recipe.model, f"{where}: $.model")
    originals = _networks(model, where)
    given = _conversions(recipe, target, model, originals)
    networks = {name: _adapted(network, given[name], f"{where}: {_conversion_place(recipe, name)}") for name, network in originals.items()}
    conversions = {
        name: conversion_options(network, given[name], f"{where}: {_conversion_place(recipe, name)}") for name, network in networks.items()
    }
    if recipe.data is not None:
        catalog.data_folder(recipe)
    methods = _methods(recipe, targets, toolchain)
    if only is not None:
        if only not in methods:
            raise InputProblem(f"the recipe has no optimization '{only}'", where, nearest(only, methods))
        methods = {only: methods[only]}
    reference = catalog.load_target(REFERENCE, where).default_toolchain
    pipeline = model if isinstance(model, Pipeline) else None
    plan = Plan(recipe, targets, toolchain, reference, networks, conversions, pipeline, methods, ())
    jobs = [job for network in networks.values() for job in _preparation(plan, network)]
    if recipe.search is None:
        for number in range(1, recipe.measure.rounds + 1):
            jobs += plan.round(number)
    return replace(plan, jobs=tuple(jobs))


def _targets(recipe: Recipe) -> dict[str, Target]:
    """Return the targets that a recipe names, its own first."""
    places = {recipe.target: f"{recipe.file}: $.target"}
    for number, optimization in enumerate(recipe.optimizations):
        if optimization.target:
            places.setdefault(optimization.target, f"{recipe.file}: $.optimizations[{number}].target")
    targets = {}
    for name, where in places.items():
        targets[name] = catalog.load_target(name, where)
        if name == REFERENCE:
            raise InputProblem(
                f"'{REFERENCE}' is the reference, not a target to optimize for", where, "every plan measures it beside the variants"
            )
    return targets


def _toolchain(target: Target, name: str, where: str) -> str:
    if name not in target.toolchains:
        raise InputProblem(f"{target.name} has no toolchain '{name}'", where, nearest(name, target.toolchains))
    return name


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


def _conversion_place(recipe: Recipe, network: str) -> str:
    return "$.conversion" if recipe.model == network else f"$.conversion.{network}"


def _adapted(network: Network, conversion: Mapping[str, Any], where: str) -> Network:
    adapted = network.adapted(conversion)
    if adapted != network:
        try:
            catalog.check_network(adapted, MODELS / network.name)
        except InputProblem as problem:
            raise InputProblem(problem.what, where, problem.advice) from None
    return adapted


def _conversions(recipe: Recipe, target: Target, model: Model, networks: Mapping[str, Network]) -> dict[str, Mapping[str, Any]]:
    """Return the recipe's conversion of each network, checked; a pipeline's is told by network."""
    given = {model.name: recipe.conversion} if isinstance(model, Network) else dict(recipe.conversion)
    for name, conversion in given.items():
        place = _conversion_place(recipe, name)
        if name not in networks:
            raise InputProblem(f"'{name}' is no network of {model.name}", f"{recipe.file}: {place}", nearest(name, networks))
        documents.check(conversion, target.conversion_schema, recipe.file, place)
        for tensor in conversion.get("outputs", {}):
            if tensor not in networks[name].tensors:
                where = f"{recipe.file}: {place}.outputs"
                raise InputProblem(f"'{tensor}' is no output of {name}", where, nearest(tensor, networks[name].tensors))
    return {name: given.get(name, {}) for name in networks}


def _methods(recipe: Recipe, targets: Mapping[str, Target], own_toolchain: str) -> dict[str, Optimization]:
    """Return the optimizations by variant, target and toolchain filled in: the recipe's own, or a search's candidates."""
    wanted = recipe.optimizations
    if recipe.search is not None:
        target = targets[recipe.target]
        candidates = {name: target.methods[name].get("search", {}).get(own_toolchain, []) for name in target.methods_of(own_toolchain)}
        wanted = tuple(Optimization(name, options) for name, found in candidates.items() for options in found)
    methods: dict[str, Optimization] = {}
    for number, optimization in enumerate(wanted):
        place = f"$.optimizations[{number}]"
        method = optimization.method
        target = targets[optimization.target or recipe.target]
        own = target.name == recipe.target
        default = own_toolchain if own else target.default_toolchain
        if method not in target.methods:
            raise InputProblem(f"{target.name} has no method '{method}'", f"{recipe.file}: {place}", nearest(method, target.methods))
        toolchain = _toolchain(target, optimization.toolchain or default, f"{recipe.file}: {place}.toolchain")
        if method not in target.methods_of(toolchain):
            advice = nearest(method, target.methods_of(toolchain))
            raise InputProblem(f"{target.name} {toolchain} has no method '{method}'", f"{recipe.file}: {place}", advice)
        schema = target.option_schema(method, toolchain)
        options = dict(optimization.options)
        if "max_drop" in schema.get("properties", {}):
            options.setdefault("max_drop", recipe.requirements.max_drop)
        documents.check(options, schema, recipe.file, place)
        if target.methods[method].get("tuning"):
            _check_budget(recipe, options, schema, place)
        same = sum((o.method, o.toolchain, o.target) == (method, toolchain, target.name) for o in methods.values())
        other = "-".join([*([] if own else [target.name]), *([toolchain] if toolchain != default else [])])
        name = method + (f"-{same + 1}" if same else "") + (f"@{other}" if other else "")
        methods[name] = Optimization(method, options, toolchain, target.name)
    if recipe.tuning and not any(targets[o.target].methods[o.method].get("tuning") for o in methods.values()):
        tuners = [f"{t.name}: {name}" for t in targets.values() for name, method in t.methods.items() if method.get("tuning")]
        raise InputProblem("no method of this recipe tunes", f"{recipe.file}: $.tuning", f"leave it out, or use one of: {tuners or 'none'}")
    return methods


def _check_budget(recipe: Recipe, options: Mapping[str, Any], schema: Mapping[str, Any], place: str) -> None:
    """Refuse a tuning that could only end at the job's time limit, with nothing made of it."""
    budget = options.get("time_budget_s", schema.get("properties", {}).get("time_budget_s", {}).get("default", 0))
    if budget > recipe.measure.time_limit_s:
        raise InputProblem(
            f"tuning may take {budget} s, but a job only {recipe.measure.time_limit_s} s",
            f"{recipe.file}: {place}.time_budget_s",
            f"raise $.measure.time_limit_s above {budget} (making the artifact comes on top), or lower the budget",
        )


def convert_id(network: str, target: str, toolchain: str) -> str:
    """Return the id of the job that converts a network for a target's toolchain."""
    return f"{network}/convert/{target}-{toolchain}"


def _job(plan: Plan, model: str, variant: str, stage: str, **fields: Any) -> Job:
    reference = variant == REFERENCE_METHOD
    optimization = plan.methods.get(variant, Optimization(variant, toolchain=plan.toolchain, target=plan.target.name))
    measure = plan.recipe.measure
    names = plan.parts(model, variant)
    given: dict[str, Any] = {
        "id": f"{model}/{variant}/{stage}",
        "target": REFERENCE if reference else optimization.target,
        "toolchain": plan.reference_toolchain if reference else optimization.toolchain,
        "method": optimization.method,
        "networks": {name: plan.networks[name].to_json() for name in names},
        "measure": {key: getattr(measure, key) for key in ("threads", "runs", "warmup", "seconds", "images", "samples")},
        **fields,
    }
    return Job(stage=stage, model=model, artifacts={name: f"inputs/{name}" for name in names}, **given)


def _reference_outputs(name: str) -> Source:
    return Source("output", f"{name}/{REFERENCE_METHOD}/evaluate", "reference.npz")


def _test(name: str) -> tuple[dict[str, Source], dict[str, str]]:
    """Return where the test split comes from and where it lies in the job."""
    return {"data/test": Source("data", name, "test")}, {"test": "inputs/data/test"}


def _preparation(plan: Plan, network: Network) -> list[Planned]:
    """The jobs before the measuring rounds: reference, conversions, then each variant made and evaluated."""
    jobs = prepare_reference(plan, network)
    for variant in plan.methods:
        jobs += prepare_variant(plan, network, variant)
    return jobs


def prepare_reference(plan: Plan, network: Network) -> list[Planned]:
    """Return the jobs that all variants of a network need: the reference evaluated, a conversion for each target and toolchain."""
    name = network.name
    graph = Source("graph", name)
    test, where = _test(name)
    jobs = [Planned(_job(plan, name, REFERENCE_METHOD, "evaluate", data=where), {name: graph, **test}, REFERENCE_METHOD)]
    wanted = list(dict.fromkeys((o.target, o.toolchain) for o in plan.methods.values()))
    to_onnx = _job(plan, name, REFERENCE_METHOD, "convert", reference="inputs/reference.npz")
    if any(network.form not in plan.targets[target].sources for target, _ in wanted):
        jobs.append(Planned(to_onnx, {name: graph, "reference.npz": _reference_outputs(name)}, REFERENCE_METHOD))
    for target, toolchain in wanted:
        direct = network.form in plan.targets[target].sources
        convert = _job(
            plan,
            name,
            "",
            "convert",
            id=convert_id(name, target, toolchain),
            target=target,
            toolchain=toolchain,
            networks={name: (network if direct else replace(network, graph=ONNX_GRAPH)).to_json()},
            reference="inputs/reference.npz",
            options=plan.conversions[name] if target == plan.target.name else {},
        )
        source = graph if direct else Source("output", to_onnx.id)
        jobs.append(Planned(convert, {name: source, "reference.npz": _reference_outputs(name)}, ""))
    return jobs


def prepare_variant(plan: Plan, network: Network, variant: str) -> list[Planned]:
    """Return the jobs that make and evaluate a variant of a network."""
    name, optimization = network.name, plan.methods[variant]
    method = plan.targets[optimization.target].methods[optimization.method]
    splits = method.get("data", [])
    given: dict[str, Any] = {"data": {split: f"inputs/data/{split}" for split in splits}}
    sources = {f"data/{split}": Source("data", name, split) for split in splits}
    if method.get("tuning"):
        tuning = plan.recipe.tuning
        given.update(tuning="inputs/tuning", tracker=tuning.get("tracker", ""), tracker_key=tuning.get("key", ""))
        sources["tuning"] = Source("tuning", name, optimization.target)
    optimize = _job(plan, name, variant, "optimize", options=optimization.options, **given)
    sources[name] = Source("output", convert_id(name, optimization.target, optimization.toolchain))
    test, where = _test(name)
    agreement = method.get("agreement", 0.0)
    evaluate = _job(plan, name, variant, "evaluate", data=where, reference="inputs/reference.npz", agreement=agreement)
    made = {name: Source("output", optimize.id), "reference.npz": _reference_outputs(name), **test}
    return [Planned(optimize, sources, variant), Planned(evaluate, made, variant)]


def measure_once(plan: Plan, model: str, variant: str, number: int) -> Planned:
    """Return the job that measures a model's variant in a round."""
    parts = plan.parts(model, variant)
    reference = variant == REFERENCE_METHOD
    sources = {n: Source("graph", n) if reference else Source("output", f"{n}/{part}/optimize") for n, part in parts.items()}
    fields: dict[str, Any] = {"id": f"{model}/{variant}/benchmark/{number}"}
    if plan.pipeline is not None and model == plan.pipeline.name:
        test, fields["data"] = _test(model)
        sources.update(test)
        fields["crop_margin"] = plan.pipeline.crop_margin
    else:
        sources["reference.npz"] = _reference_outputs(model)
        fields["reference"] = "inputs/reference.npz"
    return Planned(_job(plan, model, variant, "benchmark", **fields), sources, variant, number)
