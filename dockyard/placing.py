"""Where a plan's jobs will run: the engine of its device, and what makes the rest."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from dockyard.engines import Executor, NoImage, OnLine
from dockyard.engines.choice import choose_executor, engine_of_this_machine
from dockyard.engines.preflight import refuse
from dockyard.engines.venv import VenvExecutor
from dockyard.plan.plan import Plan
from dockyard.recipe.targets import REFERENCE_TARGET
from dockyard.run.display import Display
from dockyard.run.placement import Placement, needs_device
from dockyard.run.turns import Turns
from shared.contract.errors import EnvironmentProblem, InputProblem


class NoDevice(EnvironmentProblem):
    """The device that a recipe is for is not there."""


def place(
    plan: Plan, engine: str, context: str | None, display: Display, must_measure: bool = False
) -> Placement:
    """Return the executors of a plan's jobs.

    Where the recipe's toolchain compiles on a device elsewhere what is prepared for it, this machine prepares
    that; and where the reference's image cannot be had on the device, measures the reference.

    Args:
        engine: `auto`, `docker` or `venv`.
        context: a Docker context in place of the recipe's device; None takes the recipe's.
        must_measure: do nothing where the device is not there.

    Raises:
        InputProblem: the recipe names a device, and the engine that is asked for has none.
        NoDevice: the device is not there, and `must_measure`.
        EnvironmentProblem: no engine answers here, or at the context that is asked for.
    """
    device, missing = plan.recipe.device if context is None else None, ""
    if device is not None and engine == "venv":
        what = f"it is measured on the device '{device}', and --engine venv knows none"
        advice = "leave --engine out, or take --context default for the engine of this machine"
        raise InputProblem(what, f"{plan.recipe.file}: $.device", advice)
    try:
        executor, why = _choose(plan, engine, context or device, plan.toolchains, display)
    except EnvironmentProblem as problem:
        asked = context or device
        missing = f"no device '{asked}' ({problem.what})"
        if must_measure and asked is not None:
            raise NoDevice(missing) from None
        if device is None:
            raise
        without_device = [one.job for one in plan.jobs if not needs_device(one.job.parameters)]
        toolchains = list(dict.fromkeys((job.target, job.toolchain) for job in without_device))
        executor, why = _choose(plan, engine, None, toolchains, display)
    try:
        jobs = f"{len(plan.jobs)} jobs on {plan.target.name} {plan.toolchain}"
        display.say(f"{plan.recipe.name}: {jobs}; engine: {why}; workspace: {plan.workspace.root}")
        if missing:
            display.say(f"  {missing}: only what needs no device is done, and nothing is measured")
            return Placement(executor, missing_device=missing)
        _examine(plan, executor, display)
        if executor.is_local or not plan.preparers:
            return Placement(executor)
        return beside_a_device(plan, executor, display)
    except BaseException:
        executor.close()
        raise


def _choose(
    plan: Plan, engine: str, context: str | None, toolchains: Sequence[tuple[str, str]], display: Display
) -> tuple[Executor, str]:
    """Choose what runs a plan's jobs; this machine may make images for it, so it is its turn."""
    with ExitStack() as stack:
        if context is None:
            stack.enter_context(Turns(plan.workspace, display).here())
        return choose_executor(plan.workspace, engine, context, toolchains, _shown(display))


def _examine(plan: Plan, executor: Executor, display: Display) -> None:
    """Say what is to be known of a device before the work begins.

    Raises:
        EnvironmentProblem: it cannot do what the plan asks of it.
    """
    toolchains = plan.toolchains if executor.is_local else plan.device_toolchains
    for finding in refuse(executor.examine(toolchains), executor.name):
        if finding.level != "ok":
            display.say(f"  {finding.what}: {finding.advice}")


def beside_a_device(plan: Plan, device: Executor, display: Display) -> Placement:
    """Return the placement of a plan of which this machine does what needs no device.

    Args:
        device: which compiles and measures.

    Raises:
        EnvironmentProblem: the device, or the line to it, is gone, or its disk is full.
    """
    no_reference = ""
    try:
        with Turns(plan.workspace, display).on([device]):
            device.prepare(REFERENCE_TARGET, plan.reference_toolchain, _shown(display))
    except NoImage as problem:  # all else ends the run: it is nothing that the reference lacks
        no_reference = f"the reference cannot run on {device.name} ({problem.what})"
    toolchains = _made_here(plan, device, no_reference)
    with Turns(plan.workspace, display).here():
        maker, why = engine_of_this_machine(plan.workspace, toolchains, _shown(display))
    display.say(f"  prepared here by {why}; compiled and measured by {device.name}")
    if no_reference:
        display.say(f"  {no_reference}: it is measured here, and no speedup is told")
    return Placement(device, maker, plan.preparers, no_reference)


def _made_here(plan: Plan, device: Executor, no_reference: str) -> list[tuple[str, str]]:
    """Return the toolchains of the jobs that whatever prepares for a device does, each with its target."""
    anything = VenvExecutor(plan.workspace)  # a placement knows them once it has a maker, and any will do
    placement = Placement(device, anything, plan.preparers, no_reference)
    jobs = [planned.job for planned in plan.jobs if placement.executor_of(planned.job) is anything]
    return list(dict.fromkeys((job.target, job.toolchain) for job in jobs))


def _shown(display: Display) -> OnLine:
    return lambda line: display.progress(line[:80], 0, 0)
