"""Where a plan's jobs will run: the engine of its device, and what makes the rest."""

from __future__ import annotations

from dockyard.engines import Executor, OnLine
from dockyard.engines.choice import choose_executor, engine_of_this_machine
from dockyard.engines.preflight import refuse
from dockyard.plan.plan import Plan
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.targets import REFERENCE_TARGET
from dockyard.recipe.workspace import Workspace
from dockyard.run.display import Display
from dockyard.run.placement import Placement
from shared.contract.errors import EnvironmentProblem, InputProblem


def place(plan: Plan, engine: str, context: str | None, display: Display) -> Placement:
    """Return the executors of a plan's jobs.

    Where the recipe's toolchain compiles on a device elsewhere what is prepared for it, this machine prepares
    that; and where the reference's image cannot be had on the device, measures the reference.

    Args:
        engine: `auto`, `docker` or `venv`.
        context: a Docker context in place of the recipe's device; None takes the recipe's.

    Raises:
        InputProblem: the recipe names a device, and the engine that is asked for has none.
        EnvironmentProblem: no engine answers here, or at the context that is asked for.
    """
    device, missing = plan.recipe.device if context is None else None, ""
    if device is not None and engine == "venv":
        what = f"it is measured on the device '{device}', and --engine venv knows none"
        advice = "leave --engine out, or take --context default for the engine of this machine"
        raise InputProblem(what, f"{plan.recipe.file}: $.device", advice)
    on_line = _shown(display)
    given = plan.workspace, engine
    there = plan.device_toolchains
    try:
        executor, why = choose_executor(*given, context or device, there, on_line)
    except EnvironmentProblem as problem:
        if device is None:
            raise
        missing = _no_device(device, problem)
        executor, why = choose_executor(*given, None, plan.toolchains, on_line)
    try:
        jobs = f"{len(plan.jobs)} jobs on {plan.target.name} {plan.toolchain}"
        display.say(f"{plan.recipe.name}: {jobs}; engine: {why}; workspace: {plan.workspace.root}")
        if missing:
            display.say(f"  {missing}: only what needs no device is done, and nothing is measured")
            return Placement(executor, missing_device=missing)
        _examine(plan, executor, display)
        if executor.is_local or not plan.is_prepared:
            return Placement(executor)
        return _beside_a_device(plan, executor, display)
    except BaseException:
        executor.close()
        raise


def missing_device(workspace: Workspace, recipe_name: str) -> str:
    """Return why the device that a recipe names is not there; empty where it is, or where it names none.

    Raises:
        InputProblem: the recipe cannot be read.
    """
    device = load_recipe(workspace, recipe_name).device
    if device is None:
        return ""
    try:
        executor, _ = choose_executor(workspace, "docker", device, (), lambda line: None)
        executor.close()
    except EnvironmentProblem as problem:
        return _no_device(device, problem)
    return ""


def _no_device(device: str, problem: EnvironmentProblem) -> str:
    """Return why a recipe's device is not there."""
    return f"no device '{device}' ({problem.what})"


def _examine(plan: Plan, executor: Executor, display: Display) -> None:
    """Say what is to be known of a device before the work begins.

    Raises:
        EnvironmentProblem: it cannot do what the plan asks of it.
    """
    for finding in refuse(executor.examine(plan.device_toolchains), executor.name):
        if finding.level != "ok":
            display.say(f"  {finding.what}: {finding.advice}")


def _beside_a_device(plan: Plan, device: Executor, display: Display) -> Placement:
    """Return the placement of a plan of which this machine does what needs no device."""
    maker, why = engine_of_this_machine(plan.workspace)
    display.say(f"  prepared here by {why}, compiled and measured by {device.name}")
    try:
        device.prepare(REFERENCE_TARGET, plan.reference_toolchain, _shown(display))
    except EnvironmentProblem as problem:
        no_reference = f"the reference cannot run on {device.name} ({problem.what})"
        display.say(f"  {no_reference}: it is measured here, and no speedup is told")
        return Placement(device, maker, no_reference)
    return Placement(device, maker)


def _shown(display: Display) -> OnLine:
    return lambda line: display.progress(line[:80], 0, 0)
