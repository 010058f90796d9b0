"""Which engine a run takes, and why, in one line."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing

from dockyard.engines import Executor, OnLine
from dockyard.engines.endpoint import DEFAULT, NoSuchContext, resolve
from dockyard.engines.preflight import refuse
from dockyard.engines.venv import VenvExecutor
from dockyard.recipe.workspace import Workspace
from shared.contract.errors import EnvironmentProblem, InputProblem, nearest

ENGINES = ("auto", "docker", "venv")


def device_behind(context: str | None) -> str:
    """Return what tells the device of an engine from others, under whatever context; empty for this machine.

    Nothing is done there. A line to an engine elsewhere is opened, and closed.

    Args:
        context: a Docker context; None for what docker takes by itself.

    Raises:
        EnvironmentProblem: no engine answers there.
    """
    from dockyard.engines.docker import device_of
    from dockyard.engines.engine_line import EngineLine, engine_errors

    endpoint = resolve(context)
    if endpoint.is_local:
        return ""
    with closing(EngineLine(endpoint)) as line, engine_errors("no Docker engine answers"):
        return device_of(line.client.info())


def choose_executor(
    workspace: Workspace,
    wanted: str,
    context: str | None,
    toolchains: Sequence[tuple[str, str]],
    on_line: OnLine,
) -> tuple[Executor, str]:
    """Return what runs the jobs, and the reason for it.

    Args:
        wanted: `auto`, `docker` or `venv`.
        context: a Docker context, or None; it asks for Docker.
        toolchains: (target, toolchain) pairs that will be needed.
        on_line: takes the lines of an image build.

    Raises:
        InputProblem: there is no such engine.
        EnvironmentProblem: `docker` was asked for and no engine answers; or, with `auto`, this machine is
            none that the toolchains run on.
    """
    if wanted not in ENGINES:
        raise InputProblem(f"there is no engine '{wanted}'", "--engine", nearest(wanted, ENGINES))
    if context is not None and wanted == "venv":
        what = "--context names a Docker context and --engine venv uses none"
        raise InputProblem(what, "--context", "leave one of them out")
    if wanted == "venv":
        return VenvExecutor(workspace), "virtual environments, as asked"
    if wanted == "docker" or context is not None:
        from dockyard.engines.docker import DockerExecutor

        where = f" context {context}" if context else ""
        return DockerExecutor(workspace, context), f"Docker{where}, as asked"
    return _choose(workspace, toolchains, on_line)


def engine_of_this_machine(
    workspace: Workspace, toolchains: Sequence[tuple[str, str]], on_line: OnLine
) -> tuple[Executor, str]:
    """Return what runs jobs on this machine, whatever engine docker takes, and the reason for it.

    Args:
        toolchains: (target, toolchain) pairs that will be needed.
        on_line: takes the lines of an image build.
    """
    try:
        is_elsewhere = not resolve(DEFAULT).is_local
    except EnvironmentProblem as problem:
        return VenvExecutor(workspace), f"virtual environments, because {problem.what[:120]}"
    if is_elsewhere:
        return VenvExecutor(workspace), "virtual environments, because docker takes an engine elsewhere"
    return _on_this_machine(workspace, DEFAULT, toolchains, on_line)


def _choose(
    workspace: Workspace, toolchains: Sequence[tuple[str, str]], on_line: OnLine
) -> tuple[Executor, str]:
    """Return what docker takes by itself; where that is of this machine, as `_on_this_machine` does."""
    from dockyard.engines.docker import DockerExecutor

    try:
        is_elsewhere = not resolve().is_local
    except NoSuchContext:
        raise
    except EnvironmentProblem as problem:
        return VenvExecutor(workspace), f"virtual environments, because {problem.what[:120]}"
    if is_elsewhere:  # where that does not answer, this machine is not what was asked for
        executor = DockerExecutor(workspace)
        return executor, f"Docker at {executor.place['engine_host']}, which docker takes"
    return _on_this_machine(workspace, None, toolchains, on_line)


def _on_this_machine(
    workspace: Workspace, context: str | None, toolchains: Sequence[tuple[str, str]], on_line: OnLine
) -> tuple[Executor, str]:
    """Return Docker where an engine answers and has or can make the images, else virtual environments.

    Args:
        context: that leads to this machine's engine; None where docker takes that by itself.

    Raises:
        EnvironmentProblem: it is no machine for the toolchains, whatever engine runs them.
    """
    from dockyard.engines.docker import DockerExecutor

    try:
        executor = DockerExecutor(workspace, context)
    except EnvironmentProblem as problem:
        return VenvExecutor(workspace), f"virtual environments, because {problem.what[:120]}"
    with ExitStack() as stack:
        stack.callback(executor.close)
        refuse(executor.examine_platforms(toolchains), executor.name)
        try:
            missing = [pair for pair in toolchains if not executor.has_image(*pair)]
            for target, toolchain in missing:
                executor.prepare(target, toolchain, on_line)
        except EnvironmentProblem as problem:
            reason = f"because the image could not be made: {problem.what[:160]}"
            return VenvExecutor(workspace), f"virtual environments, {reason}"
        stack.pop_all()  # it is taken
    if not missing:
        return executor, "Docker, because an engine answers and has the images"
    made = ", ".join(f"{target} {toolchain}" for target, toolchain in missing)
    return executor, f"Docker, because an engine answers; made the images of {made}"
