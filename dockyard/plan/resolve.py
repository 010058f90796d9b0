"""What a recipe names, resolved and checked: targets, toolchains, networks, conversions, optimizations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dockyard.recipe import documents
from dockyard.recipe.models import check_pipeline, checked_network, load_model
from dockyard.recipe.targets import REFERENCE_TARGET, JsonSchema, Method, Target, load_target
from dockyard.recipe.workspace import Workspace
from shared.contract.errors import InputProblem, nearest
from shared.contract.model import Model, Network, Pipeline
from shared.contract.recipe import Optimization, Recipe
from shared.contract.streaming import stream_problem

Targets = Mapping[str, Target]


def target_places(recipe: Recipe) -> dict[str, str]:
    """Return where a recipe names each target first, its own before others."""
    places = {recipe.target: f"{recipe.file}: $.target"}
    for number, optimization in enumerate(recipe.optimizations):
        if optimization.target:
            places.setdefault(optimization.target, f"{recipe.file}: $.optimizations[{number}].target")
    return places


def resolve_targets(workspace: Workspace, recipe: Recipe) -> dict[str, Target]:
    """Return the targets that a recipe names, its own first. Raises InputProblem."""
    places = target_places(recipe)
    if REFERENCE_TARGET in places:
        raise InputProblem(
            f"'{REFERENCE_TARGET}' is the reference, not a target to optimize for",
            places[REFERENCE_TARGET],
            "every plan measures it beside the variants",
        )
    targets = {name: load_target(workspace, name, where) for name, where in places.items()}
    for name, target in targets.items():
        if not target.methods:
            advice = (
                f"name a target whose target.json has it as prepared_by: '{name}' measures nothing itself"
            )
            raise InputProblem(
                f"'{name}' has no methods: it prepares for other targets", places[name], advice
            )
    return targets


def resolve_toolchain(target: Target, name: str, where: str) -> str:
    """Return the name of a target's toolchain. Raises InputProblem with the nearest where there is none."""
    if name not in target.toolchains:
        raise InputProblem(
            f"{target.name} has no toolchain '{name}'", where, nearest(name, target.toolchains)
        )
    return name


def resolve_networks(workspace: Workspace, model: Model, where: str) -> dict[str, Network]:
    """Return a model's networks as they came, by name, in the order they run. Raises InputProblem."""
    if isinstance(model, Network):
        return {model.name: model}
    place = f"{workspace.display_path(workspace.model(model.name) / 'model.json')}: $.pipeline"
    networks: dict[str, Network] = {}
    for name in model.networks:
        network = load_model(workspace, name, place)
        if isinstance(network, Pipeline):
            raise InputProblem(
                f"'{name}' is a pipeline itself", place, "name the networks that it is made of"
            )
        networks[name] = network
    check_pipeline(model, networks, place)
    return networks


def conversion_place(recipe: Recipe, network: str) -> str:
    """Return the JSON path of a network's conversion: a pipeline's recipe has one for each network."""
    return "$.conversion" if recipe.model == network else f"$.conversion.{network}"


def resolve_conversions(
    recipe: Recipe, target: Target, model: Model, networks: Mapping[str, Network]
) -> dict[str, Mapping[str, Any]]:
    """Return the recipe's conversion of each network, accepted by the target. Raises InputProblem."""
    given = {model.name: recipe.conversion} if isinstance(model, Network) else dict(recipe.conversion)
    for name, conversion in given.items():
        place = conversion_place(recipe, name)
        if name not in networks:
            advice = nearest(name, networks)
            raise InputProblem(f"'{name}' is no network of {model.name}", f"{recipe.file}: {place}", advice)
        documents.check(conversion, target.conversion_schema, recipe.file, place)
        for tensor in conversion.get("outputs", {}):
            if tensor not in networks[name].tensors:
                raise InputProblem(
                    f"'{tensor}' is no output of {name}",
                    f"{recipe.file}: {place}.outputs",
                    nearest(tensor, networks[name].tensors),
                )
    return {name: given.get(name, {}) for name in networks}


def adapt(workspace: Workspace, network: Network, conversion: Mapping[str, Any], where: str) -> Network:
    """Return a network as its conversion has it run, checked against its graph. Raises InputProblem."""
    adapted = network.adapted(conversion)
    if adapted == network:
        return network
    try:
        return checked_network(workspace, adapted, workspace.model(network.name))
    except InputProblem as problem:
        raise InputProblem(problem.what, where, problem.advice) from None


def check_formats(
    recipe: Recipe, networks: Mapping[str, Network], targets: Targets, reference: Target
) -> None:
    """Check that every target reads every network's graph, as it is or as the ONNX that the reference makes.

    Raises:
        InputProblem: a graph that a target does not read and the reference does not convert.
    """
    places = target_places(recipe)
    for network in networks.values():
        for name, target in targets.items():
            if network.format not in (*target.formats, *reference.formats):
                raise InputProblem(
                    f"the graph of {network.name} is {network.format}, which {name} does not read",
                    places[name],
                    f"{name} reads {', '.join(target.formats)}; what makes ONNX of a graph for it reads "
                    f"{', '.join(reference.formats)}",
                )


def check_opsets(
    recipe: Recipe,
    networks: Mapping[str, Network],
    target: Target,
    conversions: Mapping[str, Mapping[str, Any]],
) -> None:
    """Refuse an opset for a graph of which no ONNX has to be made. Raises InputProblem."""
    for name, network in networks.items():
        if "opset" in conversions[name] and network.format in target.formats:
            raise InputProblem(
                f"{target.name} takes the {network.format} of {name} as it is, with the opset that it has",
                f"{recipe.file}: {conversion_place(recipe, name)}.opset",
                "leave it out, or export the model with that opset",
            )


def check_stream(recipe: Recipe, model: Model, networks: Mapping[str, Network]) -> None:
    """Refuse a stream of what cannot read one, or with no video. Raises InputProblem."""
    if recipe.stream is None:
        return
    where = f"{recipe.file}: $.stream"
    if isinstance(model, Network):
        raise InputProblem(
            f"{model.name} is one network, and a stream needs a pipeline",
            where,
            "make a pipeline of it in models/, a detector first",
        )
    problem = stream_problem(model, networks)
    if problem:
        raise InputProblem(f"{model.name} cannot read a stream: {problem}", where, "see docs/streams.md")
    if recipe.stream.clip is None and model.clip is None:
        advice = "name a video file with $.stream.clip"
        raise InputProblem(f"{model.name} has no video of its own", where, advice)


def resolve_optimizations(
    recipe: Recipe, targets: Targets, own_toolchain: str, networks: Iterable[Network]
) -> dict[str, Optimization]:
    """Return the recipe's optimizations, or a search's candidates, by variant; targets are filled in.

    Raises:
        InputProblem: no such method, toolchain or option; a method that quantizes what is quantized; a
            tracker in a recipe that tunes nothing.
    """
    quantized = [network.name for network in networks if network.is_quantized]
    wanted: Sequence[Optimization] = recipe.optimizations
    if recipe.search is not None:
        wanted = _candidates(targets[recipe.target], own_toolchain, quantizing=not quantized)
    found: dict[str, Optimization] = {}
    for number, optimization in enumerate(wanted):
        resolved = _resolve_optimization(
            recipe, targets, own_toolchain, optimization, f"$.optimizations[{number}]"
        )
        if quantized and method_of(targets, resolved).quantizes:
            raise InputProblem(
                f"{quantized[0]} is quantized already, which {resolved.method} would do again",
                f"{recipe.file}: $.optimizations[{number}]",
                "leave the method out, or give the model as it was before it was quantized",
            )
        found[_variant_name(recipe, targets, own_toolchain, resolved, found)] = resolved
    if recipe.tracker is not None:
        _check_tracker(recipe, targets, found)
    return found


def _candidates(target: Target, toolchain: str, quantizing: bool) -> list[Optimization]:
    """Return what a search tries: every method of the toolchain with each of its sets of options.

    Args:
        quantizing: with those that quantize.
    """
    named = (target.methods[name] for name in target.methods_of(toolchain))
    methods = [method for method in named if quantizing or not method.quantizes]
    pairs = [(method.name, options) for method in methods for options in method.search.get(toolchain, ())]
    return [Optimization(name, options) for name, options in pairs]


def _resolve_optimization(
    recipe: Recipe, targets: Targets, own_toolchain: str, optimization: Optimization, place: str
) -> Optimization:
    where = f"{recipe.file}: {place}"
    target = targets[optimization.target or recipe.target]
    default = own_toolchain if target.name == recipe.target else target.default_toolchain
    method = target.methods.get(optimization.method)
    if method is None:
        advice = nearest(optimization.method, target.methods)
        raise InputProblem(f"{target.name} has no method '{optimization.method}'", where, advice)
    toolchain = resolve_toolchain(target, optimization.toolchain or default, f"{where}.toolchain")
    if method.name not in target.methods_of(toolchain):
        advice = nearest(method.name, target.methods_of(toolchain))
        raise InputProblem(f"{target.name} {toolchain} has no method '{method.name}'", where, advice)
    options = dict(optimization.options)
    if method.is_accuracy_aware:
        options.setdefault("max_drop", recipe.requirements.max_drop)
    schema = target.option_schema(method.name, toolchain)
    documents.check(options, schema, recipe.file, place)
    if method.tunes:
        _check_budget(recipe, options, schema, place)
    return Optimization(method.name, options, toolchain, target.name)


def _variant_name(
    recipe: Recipe,
    targets: Targets,
    own_toolchain: str,
    optimization: Optimization,
    earlier: Mapping[str, Optimization],
) -> str:
    """Return a variant's name: its method, a number after the first, and what is not the recipe's own."""
    identity = (optimization.method, optimization.toolchain, optimization.target)
    same = sum((other.method, other.toolchain, other.target) == identity for other in earlier.values())
    number = f"-{same + 1}" if same else ""
    own = optimization.target == recipe.target
    default = own_toolchain if own else targets[optimization.target].default_toolchain
    elsewhere = [] if own else [optimization.target]
    if optimization.toolchain != default:
        elsewhere.append(optimization.toolchain)
    suffix = f"@{'-'.join(elsewhere)}" if elsewhere else ""
    return f"{optimization.method}{number}{suffix}"


def method_of(targets: Targets, optimization: Optimization) -> Method:
    """Return the method of a resolved optimization."""
    return targets[optimization.target].methods[optimization.method]


def _check_tracker(recipe: Recipe, targets: Targets, optimizations: Mapping[str, Optimization]) -> None:
    """Refuse a tracker in a recipe without a method that tunes."""
    if any(method_of(targets, optimization).tunes for optimization in optimizations.values()):
        return
    methods = [(target, method) for target in targets.values() for method in target.methods.values()]
    tuners = [f"{target.name}: {method.name}" for target, method in methods if method.tunes]
    advice = f"leave it out, or use one of: {', '.join(tuners) or 'none'}"
    raise InputProblem("no method of this recipe tunes", f"{recipe.file}: $.tuning", advice)


def _check_budget(recipe: Recipe, options: Mapping[str, Any], schema: JsonSchema, place: str) -> None:
    """Refuse a tuning that could only end at the job's time limit, with nothing made of it."""
    default = schema.get("properties", {}).get("time_budget_s", {}).get("default", 0)
    budget = options.get("time_budget_s", default)
    if budget > recipe.measure.time_limit_s:
        raise InputProblem(
            f"tuning may take {budget} s, but a job only {recipe.measure.time_limit_s} s",
            f"{recipe.file}: {place}.time_budget_s",
            f"raise $.measure.time_limit_s above {budget} (the artifact comes on top), or lower the budget",
        )
