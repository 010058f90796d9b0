"""From a recipe to its plan. Pure: it reads files and runs nothing."""

from __future__ import annotations

from dataclasses import replace

from dockyard.plan.conversion import conversion_options
from dockyard.plan.jobs import judge_pipeline, measure_round, prepare_reference, prepare_variant
from dockyard.plan.plan import Plan
from dockyard.plan.resolve import (
    adapt,
    check_formats,
    check_opsets,
    check_stream,
    conversion_place,
    resolve_conversions,
    resolve_networks,
    resolve_optimizations,
    resolve_targets,
    resolve_toolchain,
)
from dockyard.recipe.models import load_model
from dockyard.recipe.recipes import data_folder
from dockyard.recipe.targets import REFERENCE_TARGET, load_target
from dockyard.recipe.workspace import Workspace
from shared.contract.errors import InputProblem, nearest
from shared.contract.model import Pipeline
from shared.contract.recipe import Recipe


def make_plan(workspace: Workspace, recipe: Recipe, only: str | None = None) -> Plan:
    """Make the plan of a recipe; every error of the input is found here, before anything runs.

    Args:
        recipe: as read.
        only: a variant of the recipe to which the plan is cut down (beside the reference), or None.

    Raises:
        InputProblem: unknown model, target, toolchain, method or option; a graph that does not fit.
    """
    plan = _resolve(workspace, recipe, only)
    jobs = []
    for network in plan.networks.values():
        jobs += prepare_reference(plan, network)
        for variant in plan.optimizations:
            jobs += prepare_variant(plan, network, variant)
    if recipe.search is None:
        if plan.pipeline is not None:
            for variant in plan.variants:
                jobs += judge_pipeline(plan, variant)
        for number in range(1, recipe.measure.rounds + 1):
            jobs += measure_round(plan, number)
    return replace(plan, jobs=tuple(jobs))


def _resolve(workspace: Workspace, recipe: Recipe, only: str | None) -> Plan:
    """Return the plan without its jobs."""
    where = recipe.file
    targets = resolve_targets(workspace, recipe)
    target = targets[recipe.target]
    toolchain = resolve_toolchain(
        target, recipe.toolchain or target.default_toolchain, f"{where}: $.toolchain"
    )
    model = load_model(workspace, recipe.model, f"{where}: $.model")
    originals = resolve_networks(workspace, model, where)
    given = resolve_conversions(recipe, target, model, originals)
    networks, conversions = {}, {}
    for name, network in originals.items():
        place = f"{where}: {conversion_place(recipe, name)}"
        if recipe.data is not None or "shape" in given[name]:
            # What is expected is the figure on the model's own data, in its own shape.
            network = replace(network, expect=None)
        networks[name] = adapt(workspace, network, given[name], place)
        conversions[name] = conversion_options(networks[name], given[name], place)
    if recipe.data is not None:
        data_folder(workspace, recipe)
    check_stream(recipe, model, networks)
    reference = load_target(workspace, REFERENCE_TARGET, where)
    check_formats(recipe, networks, targets, reference)
    check_opsets(recipe, networks, target, conversions)
    optimizations = resolve_optimizations(recipe, targets, toolchain, networks.values())
    if only is not None:
        if only not in optimizations:
            raise InputProblem(
                f"the recipe has no optimization '{only}'", where, nearest(only, optimizations)
            )
        optimizations = {only: optimizations[only]}
    return Plan(
        workspace=workspace,
        recipe=recipe,
        targets=targets,
        toolchain=toolchain,
        reference_toolchain=reference.default_toolchain,
        networks=networks,
        conversions=conversions,
        pipeline=model if isinstance(model, Pipeline) else None,
        optimizations=optimizations,
        jobs=(),
    )
