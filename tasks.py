"""The Invoke tasks: flags in, exit codes out, nothing else. The work is in dockyard/."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from invoke.context import Context
from invoke.tasks import task

ROOT = Path(__file__).resolve().parent
INTERRUPTED = 130


def guarded(body: Callable[..., None]) -> Callable[..., None]:
    """Turn an error into its one or two lines and its exit code; --debug shows where it came from."""

    @wraps(body)
    def run(*args: Any, **kwargs: Any) -> None:
        from shared.contract.errors import DockyardError

        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            body(*args, **kwargs)
        except KeyboardInterrupt:
            print("interrupted: nothing is left running, earlier results are untouched", file=sys.stderr)
            sys.exit(INTERRUPTED)
        except DockyardError as error:
            if kwargs.get("debug"):
                raise
            print(f"error: {error}", file=sys.stderr)
            sys.exit(error.exit_code)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            if kwargs.get("debug"):
                raise
            print(f"error: {error}", file=sys.stderr)
            sys.exit(3)

    return run


@task(
    help={
        "recipe": "file, or name in recipes/",
        "engine": "auto, docker or venv",
        "context": "a Docker context, for a device elsewhere",
        "only": "one method of the recipe; the published results stay as they are",
        "force": "make kept artifacts anew",
        "debug": "show the traceback of an error",
    }
)
@guarded
def build(
    _: Context, recipe: str, engine: str = "auto", context: str = "", only: str = "", force: bool = False, debug: bool = False
) -> None:
    """Optimize, measure and report a recipe: the main job."""
    from rich.console import Console

    from dockyard import workflow

    console = Console()
    built = workflow.build(recipe, console, engine=engine, context=context or None, only=only or None, force=force)
    workflow.summarize(built, console)


@task(help={"recipe": "file, or name in recipes/", "json": "machine-readable, for a CI matrix", "debug": "show tracebacks"})
@guarded
def plan(_: Context, recipe: str, json: bool = False, debug: bool = False) -> None:
    """Show what a build would run, and find every error of the input."""
    from dockyard.plan.plan import make_plan
    from dockyard.recipe.catalog import load_recipe

    made = make_plan(load_recipe(recipe))
    if json:
        print_json(
            {
                "recipe": made.recipe.name,
                "target": made.target.name,
                "toolchain": made.toolchain,
                "models": made.models,
                "include": [
                    {"recipe": made.recipe.name, "target": optimization.target, "toolchain": optimization.toolchain, "method": variant}
                    for variant, optimization in made.methods.items()
                ],
                "jobs": [{"id": p.job.id, "stage": p.job.stage, "target": p.job.target, "needs": p.needs} for p in made.jobs],
            }
        )
        return
    print(f"{made.recipe.name}: {', '.join(made.models)} on {made.target.name} {made.toolchain}")
    for planned in made.jobs:
        print(f"  {planned.job.id:48} {planned.job.target} {planned.job.toolchain}")


def print_json(document: Any) -> None:
    print(json.dumps(document, indent=2))


@task(help={"target": "only recipes of this target", "engine": "auto, docker or venv", "debug": "show tracebacks"}, iterable=["target"])
@guarded
def matrix(_: Context, target: list[str], engine: str = "auto", debug: bool = False) -> None:
    """Build every recipe, one after the other."""
    from rich.console import Console

    from dockyard import workflow
    from dockyard.recipe.catalog import load_recipe, recipe_names
    from shared.contract.errors import DockyardError, JobFailed

    console = Console()
    failed = []
    for name in recipe_names():
        if target and load_recipe(name).target not in target:
            continue
        try:
            workflow.summarize(workflow.build(name, console, engine=engine), console)
        except DockyardError as error:
            failed.append(name)
            print(f"error: {name}: {error}", file=sys.stderr)
    if failed:
        raise JobFailed(f"{len(failed)} recipes did not succeed: {', '.join(failed)}")


@task(help={"debug": "show tracebacks"})
@guarded
def report(_: Context, debug: bool = False) -> None:
    """Write results/ anew from the records."""
    from dockyard.recipe.places import RESULTS
    from dockyard.report.report import write_report

    print(f"{len(write_report(RESULTS))} records in {RESULTS / 'report.md'}")


@task(help={"a": "a run's folder below .dockyard/runs/, or its name", "b": "the run to compare it with", "debug": "show tracebacks"})
@guarded
def compare(_: Context, a: str, b: str, debug: bool = False) -> None:
    """Compare two runs of the same recipe: speedups and quality, side by side."""
    from rich.console import Console

    from dockyard.judge.comparison import compare_runs

    Console().print(compare_runs(a, b))


@task(
    help={
        "target": "only this target; every target by default",
        "context": "a Docker context",
        "bootstrap": "make the base image without a registry (mmdebstrap)",
        "debug": "show tracebacks",
    }
)
@guarded
def images(_: Context, target: str = "", context: str = "", bootstrap: bool = False, debug: bool = False) -> None:
    """Build the targets' images, the small runtime stage and the build stage."""
    from dockyard.engines import images as builder
    from dockyard.recipe.catalog import load_target

    for name in [target] if target else builder.targets():
        for toolchain in load_target(name, "--target").toolchains:
            for stage in builder.STAGES:
                image = builder.build_image(
                    name,
                    toolchain,
                    context=context or None,
                    bootstrap=bootstrap,
                    stage=stage,
                    on_line=lambda line: print(f"  {line}", flush=True),
                )
                print(f"{builder.image_tag(name, toolchain, stage)}: {image}")


@task(help={"context": "a Docker context", "debug": "show tracebacks"})
@guarded
def doctor(_: Context, context: str = "", debug: bool = False) -> None:
    """Is this machine, or that device, ready? Each line says what to do about it."""
    from dockyard.doctor import examine
    from shared.contract.errors import EnvironmentProblem

    bad = 0
    for finding in examine(context or None):
        bad += finding.level == "bad"
        print(f"{finding.level:5} {finding.what}" + (f"\n      {finding.advice}" if finding.advice else ""), flush=True)
    if bad:
        raise EnvironmentProblem(f"{bad} things to mend")


@task(help={"verify": "check checksums, tensor names, model cards and tuning databases", "debug": "show tracebacks"})
@guarded
def models(_: Context, verify: bool = False, debug: bool = False) -> None:
    """List the models; --verify checks their graphs and cards."""
    from dockyard.recipe.catalog import load_model, names
    from dockyard.recipe.places import MODELS
    from dockyard.run import tuning_store as tuning
    from shared.contract.errors import InputProblem

    for name in names(MODELS, "model.json"):
        model = load_model(name, "models/")
        card = MODELS / name / "README.md"
        if verify and not card.is_file():
            raise InputProblem(
                "there is no model card", f"models/{name}/README.md", "say what it is, its data, training, metrics, limits, licence"
            )
        if verify:
            tuning.verify(name)
        print(f"{name}: {model.description}")


@task(
    help={
        "export": "copy them, with SHA256SUMS, to this folder",
        "add": "take this file, <cpu>.json.gz, from elsewhere as this machine's own (with --model and --target)",
        "commit": "put this machine's own ones into the model's folder (with --model)",
        "model": "only this model's",
        "target": "of a database to add",
        "debug": "show tracebacks",
    }
)
@guarded
def tuning(
    _: Context, export: str = "", add: str = "", commit: bool = False, model: str = "", target: str = "", debug: bool = False
) -> None:
    """List the tuning databases, this machine's own and the committed; copy them out, in, or into the models."""
    from dockyard.recipe.places import shown
    from dockyard.run import tuning_store as tuning

    if add:
        print(shown(tuning.add(Path(add), model, target)))
    for path in [*(tuning.commit(model) if commit else []), *(tuning.export(Path(export), model) if export else [])]:
        print(shown(path))
    if not (add or commit or export):
        from rich.console import Console

        Console().print(tuning.table(model))


@task(help={"fast": "only the tests that need no toolchain and no engine", "k": "as pytest's -k"})
def test(context: Context, fast: bool = False, k: str = "") -> None:
    """Run the tests; those that need a container engine are skipped, and say so, where none answers."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-ra",
        *(["tests/unit", "tests/contract"] if fast else ["tests"]),
        *(["-k", k] if k else []),
    ]
    os.chdir(ROOT)
    os.execv(sys.executable, command)


@task
def lint(context: Context) -> None:
    """ruff, and mypy in strict mode on the host and shared code."""
    with context.cd(str(ROOT)):
        context.run(f"{sys.executable} -m ruff check .", pty=False)
        context.run(f"{sys.executable} -m mypy", pty=False)
