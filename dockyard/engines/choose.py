"""Which engine a run takes, and why, in one line."""

from __future__ import annotations

from collections.abc import Sequence

from dockyard.engines import Engine, OnLine, images
from dockyard.engines.venv import VenvEngine
from shared.contract.errors import EnvironmentProblem, InputProblem, nearest

ENGINES = ("auto", "docker", "venv")


def choose_engine(wanted: str, context: str | None, toolchains: Sequence[tuple[str, str]], on_line: OnLine) -> tuple[Engine, str]:
    """Return the engine and the reason for it.

    Args:
        wanted: `auto`, `docker` or `venv`.
        context: a Docker context, or None; it asks for Docker.
        toolchains: (target, toolchain) pairs that will be needed.
        on_line: takes the lines of an image build.

    Raises:
        InputProblem: there is no such engine.
        EnvironmentProblem: `docker` was asked for and no engine answers.
    """
    if wanted not in ENGINES:
        raise InputProblem(f"there is no engine '{wanted}'", "--engine", nearest(wanted, ENGINES))
    if context is not None and wanted == "venv":
        raise InputProblem("--context names a Docker context and --engine venv uses none", "--context", "leave one of them out")
    if wanted == "venv":
        return VenvEngine(), "virtual environments, as asked"
    from dockyard.engines.docker import DockerEngine

    if wanted == "docker" or context is not None:
        return DockerEngine(context), f"Docker{f' context {context}' if context else ''}, as asked"
    try:
        engine = DockerEngine()
        missing = [f"{t} {c}" for t, c in toolchains if images.current_image(t, c) is None]
    except EnvironmentProblem as problem:
        return VenvEngine(), f"virtual environments, because {problem.what[:120]}"
    if not missing:
        return engine, "Docker, because an engine answers and has the images"
    try:
        for target, toolchain in toolchains:
            engine.prepare(target, toolchain, on_line)
    except EnvironmentProblem as problem:
        return VenvEngine(), f"virtual environments, because the image could not be made: {problem.what[:160]}"
    return engine, f"Docker, because an engine answers; made the images of {', '.join(missing)}"
