"""The Invoke tasks: flags in, exit codes out, nothing else. The work is in dockyard/.

What a task needs is imported in it: `invoke --list` should cost milliseconds.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import closing, nullcontext
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task

if TYPE_CHECKING:
    from dockyard.plan.plan import Plan

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


WORKSPACE = "your folder with recipes/ and models/; by default DOCKYARD_WORKSPACE, or where you stand"
DEBUG = "show the traceback of an error"


@task(
    help={
        "recipe": "file, or name in recipes/",
        "workspace": WORKSPACE,
        "engine": "auto, docker or venv",
        "context": "a Docker context, for a device elsewhere",
        "only": "one variant of the recipe, as `int8`; the published results stay as they are",
        "force": "make kept artifacts anew",
        "debug": DEBUG,
    }
)
@guarded
def build(
    _: Context,
    recipe: str,
    workspace: str = "",
    engine: str = "auto",
    context: str = "",
    only: str = "",
    force: bool = False,
    debug: bool = False,
) -> None:
    """Optimize, measure and report a recipe: the main job."""
    from rich.console import Console

    from dockyard import workflow
    from dockyard.recipe.workspace import find_workspace

    console = Console()
    built = workflow.build(
        find_workspace(workspace),
        recipe,
        console,
        engine=engine,
        context=context or None,
        only=only or None,
        force=force,
    )
    workflow.summarize(built, console)


@task(
    help={
        "recipe": "a recipe that is for a stream, and was built: file, or name in recipes/",
        "source": "a video, folder of images, address (rtsp://...) or camera; may be given several times",
        "variant": "of the recipe; the recommended one by default",
        "output": "file for what is read, JSON lines or, ending with .csv, CSV; standard output by default",
        "seconds": "end after so many; by default when every source has ended",
        "annotated": "folder for a video of each source, with what was read drawn on it",
        "workspace": WORKSPACE,
        "engine": "auto, docker or venv",
        "context": "a Docker context, for a device elsewhere",
        "debug": DEBUG,
    },
    iterable=["source"],
)
@guarded
def stream(
    _: Context,
    recipe: str,
    source: list[str],
    variant: str = "",
    output: str = "",
    seconds: float = 0.0,
    annotated: str = "",
    workspace: str = "",
    engine: str = "auto",
    context: str = "",
    debug: bool = False,
) -> None:
    """Read videos, cameras or folders of images with the variant that was measured, frame by frame."""
    from rich.console import Console

    from dockyard.reading import Asked, read_stream, summary
    from dockyard.reading_output import OutputClosed, writing
    from dockyard.recipe.workspace import find_workspace
    from dockyard.run.live_display import LiveDisplay

    asked = Asked(source, variant or None, seconds or None, Path(annotated) if annotated else None)
    found = find_workspace(workspace)
    try:
        with writing(output) as on_reading, LiveDisplay(Console(stderr=True)) as display:
            result = read_stream(
                found, recipe, asked, on_reading, display, engine=engine, context=context or None
            )
    except OutputClosed:
        raise BrokenPipeError from None
    print(summary(result), file=sys.stderr)


@task(
    help={
        "recipe": "a recipe that was built: file, or name in recipes/",
        "output": "folder that the delivery becomes; it must not be there yet",
        "variant": "of the recipe; the recommended one by default",
        "key": "private ed25519 key (PEM) that signs the receipt",
        "base": "folder of an older delivery that is installed there: what it has is left out",
        "unmeasured": "take a variant that was prepared for a device that is not at hand; all says so",
        "images_only": "leave out what decodes videos: some 107 MB",
        "workspace": WORKSPACE,
        "debug": DEBUG,
    }
)
@guarded
def deliver(
    _: Context,
    recipe: str,
    output: str,
    variant: str = "",
    key: str = "",
    base: str = "",
    unmeasured: bool = False,
    images_only: bool = False,
    workspace: str = "",
    debug: bool = False,
) -> None:
    """Make what was measured into a folder that ops carry to a client: image, evidence, installer."""
    from rich.console import Console

    from dockyard.delivering import deliver as make_delivery
    from dockyard.recipe.workspace import find_workspace
    from dockyard.run.live_display import LiveDisplay

    console = Console()
    with LiveDisplay(console) as display:
        made = make_delivery(
            find_workspace(workspace),
            recipe,
            Path(output),
            variant or None,
            Path(key) if key else None,
            display,
            Path(base) if base else None,
            unmeasured,
            decodes_videos=not images_only,
        )
    sizes = f"image {made.image.size / 1e6:.0f} MB, {made.size / 1e6:.0f} MB packed"
    print(f"{made.folder}: {made.variant}, {sizes}; {made.image.tag} {made.image.id[:19]}")
    if not key:
        print("not signed: with --key KEY.pem the client can tell who made it")


@task(
    help={"folder": "of a delivery", "key": "public key of whoever made it", "debug": DEBUG},
    positional=["folder"],
)
@guarded
def verify(_: Context, folder: str, key: str = "", debug: bool = False) -> None:
    """Check that every byte of a delivery is what was made and, with --key, who made it."""
    from dockyard.deliver.verify import verify as verify_delivery

    receipt = verify_delivery(Path(folder), Path(key) if key else None)
    signed = f"signed by {', '.join(receipt.signatures)}" if key else "who made it was not checked (--key)"
    print(f"every byte is as it was made; {signed}")


@task(
    help={
        "recipe": "file, or name in recipes/; every recipe of the workspace by default",
        "workspace": WORKSPACE,
        "json": "machine-readable, for a CI matrix",
        "debug": DEBUG,
    }
)
@guarded
def plan(_: Context, recipe: str = "", workspace: str = "", json: bool = False, debug: bool = False) -> None:
    """Show what a build would run, and find every error of the input."""
    from dockyard.plan.make import make_plan
    from dockyard.recipe.recipes import load_recipe
    from dockyard.recipe.workspace import find_workspace
    from shared.contract.errors import InputProblem

    found, plans, problems = find_workspace(workspace), [], []
    for name in [recipe] if recipe else found.own_recipe_names():
        try:
            plans.append(make_plan(found, load_recipe(found, name)))
        except InputProblem as problem:
            problems.append(problem)
    for one in problems[:-1]:
        print(f"error: {one}", file=sys.stderr)
    if problems:
        raise problems[-1]
    if json:
        print_json(plan_document(plans[0]) if recipe else {"include": [recipe_cell(made) for made in plans]})
        return
    for made in plans:
        print(f"{made.recipe.name}: {', '.join(made.models)} on {made.target.name} {made.toolchain}")
        for planned in made.jobs:
            print(f"  {planned.job.id:48} {planned.job.target} {planned.job.toolchain}")


def recipe_cell(plan: Plan) -> dict[str, str]:
    """Return a recipe as a cell of a CI matrix; its device, empty for none, is the label of a runner."""
    return {
        "recipe": plan.recipe.name,
        "target": plan.target.name,
        "toolchain": plan.toolchain,
        "device": plan.recipe.device or "",
    }


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return a plan for machines: `include` is what a CI matrix takes."""
    cells = []
    for variant, optimization in plan.optimizations.items():
        cell = {
            "recipe": plan.recipe.name,
            "target": optimization.target,
            "toolchain": optimization.toolchain,
        }
        cells.append({**cell, "method": variant})
    jobs = []
    for planned in plan.jobs:
        job = planned.job
        jobs.append({"id": job.id, "stage": job.stage.name, "target": job.target, "needs": planned.needs})
    return {
        "recipe": plan.recipe.name,
        "target": plan.target.name,
        "toolchain": plan.toolchain,
        "models": plan.models,
        "include": cells,
        "jobs": jobs,
    }


def print_json(document: Any, indent: int | None = 2) -> None:
    print(json.dumps(document, indent=indent), flush=True)


@task(
    help={
        "target": "only recipes of this target; may be given several times",
        "recipe": "only this recipe; may be given several times",
        "workspace": WORKSPACE,
        "engine": "auto, docker or venv",
        "fleet": "JSON file with the devices, what recipes call them and what each is for",
        "context": "a Docker context in place of each recipe's device",
        "force": "measure anew what is up to date too; kept artifacts stay",
        "strict": "fail where a recipe's device is not there",
        "json": "for machines: as a recipe ends, a line on stdout; all the rest goes to stderr",
        "debug": DEBUG,
    },
    iterable=["target", "recipe"],
)
@guarded
def matrix(
    _: Context,
    target: list[str],
    recipe: list[str],
    workspace: str = "",
    engine: str = "auto",
    fleet: str = "",
    context: str = "",
    force: bool = False,
    strict: bool = False,
    json: bool = False,
    debug: bool = False,
) -> None:
    """Build every recipe of the workspace whose results are not up to date; a second call goes on.

    Recipes of one device are built one after the other, devices side by side. Called again after it was
    killed, it goes on: nothing is measured twice, and what it left on devices is collected or removed.
    """
    from rich.console import Console

    from dockyard import workflow
    from dockyard.device_groups import groups_asked_for
    from dockyard.judge.assessment import Assessment
    from dockyard.matrix import RecipeOutcome, State, build_each, line_of, recipes_of
    from dockyard.matrix_side_by_side import build_side_by_side
    from dockyard.recipe.workspace import find_workspace
    from shared.contract.codec import encode
    from shared.contract.errors import JobFailed

    console = Console(stderr=json)
    found = find_workspace(workspace)

    def up_to_date(name: str) -> list[Assessment]:
        if force:
            return []
        return workflow.up_to_date(found, name, console, engine=engine, context=context or None)

    def build_one(name: str) -> list[Assessment]:
        built = workflow.build(
            found, name, console, engine=engine, context=context or None, must_measure=True
        )
        workflow.summarize(built, console)
        return built.assessments

    done: list[RecipeOutcome] = []

    def tell(outcome: RecipeOutcome, is_one_of_several: bool) -> None:
        done.append(outcome)
        if json:
            print_json(encode(outcome), indent=None)
        elif outcome.state == State.FAILED:
            print(f"error: {outcome.recipe}: {outcome.text}", file=sys.stderr)
        elif is_one_of_several:
            print(line_of(outcome), flush=True)

    names = recipes_of(found, target, recipe)
    groups, skipped = groups_asked_for(found, names, engine, context, fleet)
    try:
        for outcome in skipped:
            tell(outcome, True)
        if fleet or len(groups) > 1:
            command = [sys.executable, "-m", "invoke", "--search-root", str(ROOT), "matrix", "--json"]
            command += ["--engine", engine, *(["--debug"] if debug else [])]
            build_side_by_side(found, groups, command, force, lambda outcome: tell(outcome, True), console)
        else:
            for outcome in build_each(names, up_to_date, build_one):
                tell(outcome, False)
    finally:
        if not json:
            for outcome in sorted(done, key=lambda outcome: names.index(outcome.recipe)):
                print(line_of(outcome))
    bad = (State.FAILED, State.SKIPPED) if strict else (State.FAILED,)
    failed = [outcome.recipe for outcome in done if outcome.state in bad]
    if failed:
        raise JobFailed(f"{len(failed)} of {len(done)} recipes did not succeed: {', '.join(failed)}")


@task(
    help={
        "add": "another machine's results folder, whose records are put beside these, by device",
        "junit": "a file for the summary of a CI: what each recipe requires, and each variant, as a test",
        "parquet": "a file for the rows of results.csv with their types",
        "workspace": WORKSPACE,
        "debug": DEBUG,
    }
)
@guarded
def report(
    _: Context,
    add: str = "",
    junit: str = "",
    parquet: str = "",
    workspace: str = "",
    debug: bool = False,
) -> None:
    """Write results/ anew from the records, and say what to take of each recipe."""
    from rich.console import Console

    from dockyard.judge.adding import add_results
    from dockyard.recipe.workspace import find_workspace
    from dockyard.report.csv import write_parquet
    from dockyard.report.decision import decisions_of
    from dockyard.report.junit import write_junit
    from dockyard.report.terminal import print_decisions
    from dockyard.report.write import write_report

    found = find_workspace(workspace)
    for line in add_results(found, Path(add)) if add else ():
        print(line)
    assessments = write_report(found)
    print_decisions(decisions_of(assessments), Console())
    if junit:
        write_junit(assessments, Path(junit))
    if parquet:
        write_parquet(assessments, Path(parquet))
    print(f"{len(assessments)} records in {found.results / 'report.html'} and report.md")


@task(
    help={
        "a": "a run's name, or its folder; or the folder of a delivery",
        "b": "the run, or the delivery, to compare it with",
        "fail-on": "changes that give exit code 1: slower,lossier (also faster, better, failed)",
        "workspace": WORKSPACE,
        "debug": DEBUG,
    }
)
@guarded
def compare(_: Context, a: str, b: str, fail_on: str = "", workspace: str = "", debug: bool = False) -> None:
    """Compare two runs of the same recipe: the same, faster, slower, other quality. Or two deliveries."""
    from rich.console import Console

    from dockyard.deliver.changes import changes, is_delivery
    from dockyard.judge.compare_runs import changes_named, compare_runs, refuse
    from dockyard.recipe.workspace import find_workspace
    from dockyard.report.terminal import print_changes, print_comparison
    from shared.contract.errors import InputProblem

    if is_delivery(Path(a)) and is_delivery(Path(b)):
        if fail_on:
            raise InputProblem("it is for runs, and these are deliveries", "--fail-on", "leave it out")
        print_changes([(row.what, row.first, row.second) for row in changes(Path(a), Path(b))], Console())
        return
    unwanted = changes_named(fail_on)
    compared = compare_runs(find_workspace(workspace), a, b)
    print_comparison(compared, Console())
    refuse(compared, unwanted)


@task(
    help={
        "target": "only this target; every target by default",
        "workspace": WORKSPACE,
        "context": "a Docker context",
        "bootstrap": "make the base without a registry (mmdebstrap)",
        "debug": DEBUG,
    }
)
@guarded
def images(
    _: Context,
    target: str = "",
    workspace: str = "",
    context: str = "",
    bootstrap: bool = False,
    debug: bool = False,
) -> None:
    """Build the targets' images, the small runtime stage and the build stage; on this machine, in turn."""
    from rich.console import Console

    from dockyard.engines import images as builder
    from dockyard.engines.endpoint import resolve
    from dockyard.engines.engine_line import EngineLine
    from dockyard.recipe.targets import load_target
    from dockyard.recipe.workspace import find_workspace
    from dockyard.run.live_display import LiveDisplay
    from dockyard.run.turns import Turns

    found = find_workspace(workspace)
    display = LiveDisplay(
        Console()
    )  # it says what is waited for; an image's own lines are printed as they are
    turns = Turns(found, display)
    with closing(EngineLine(resolve(context or None))) as line:
        for name in [target] if target else builder.targets(found):
            for toolchain in load_target(found, name, "--target").toolchains:
                not_there = builder.why_not_there(found, name, toolchain, line.address)
                if not_there and not target:
                    print(f"left out: {not_there}")
                    continue
                for stage in builder.IMAGE_STAGES:
                    with turns.here() if line.endpoint.is_local else nullcontext():
                        image = builder.build_image(
                            found,
                            name,
                            toolchain,
                            address=line.address,
                            bootstrap=bootstrap,
                            stage=stage,
                            on_line=lambda line: print(f"  {line}", flush=True),
                        )
                    print(f"{builder.image_tag(name, toolchain, stage)}: {image}")


@task(help={"workspace": WORKSPACE, "context": "a Docker context", "debug": DEBUG})
@guarded
def doctor(_: Context, workspace: str = "", context: str = "", debug: bool = False) -> None:
    """Is this machine, or that device, ready? Each line says what to do about it."""
    from dockyard.doctor import examine
    from dockyard.recipe.workspace import find_workspace
    from shared.contract.errors import EnvironmentProblem

    bad = 0
    for finding in examine(find_workspace(workspace), context or None):
        bad += finding.level == "bad"
        advice = f"\n      {finding.advice}" if finding.advice else ""
        print(f"{finding.level:5} {finding.what}{advice}", flush=True)
    if bad:
        raise EnvironmentProblem(f"{bad} things to mend")


@task(
    help={
        "workspace": WORKSPACE,
        "verify": "check checksums, tensor names, model cards and tuning databases",
        "debug": DEBUG,
    }
)
@guarded
def models(_: Context, workspace: str = "", verify: bool = False, debug: bool = False) -> None:
    """List the models; --verify checks their graphs and cards."""
    from dockyard.recipe.models import load_model
    from dockyard.recipe.workspace import find_workspace
    from dockyard.run import tuning_store
    from shared.contract.errors import InputProblem

    found = find_workspace(workspace)
    for name in found.names("models", "model.json"):
        model = load_model(found, name, "models/")
        card = found.model(name) / "README.md"
        if verify and not card.is_file():
            advice = "say what it is, its data, training, metrics, limits, licence"
            raise InputProblem("there is no model card", found.display_path(card), advice)
        if verify:
            tuning_store.verify(found, name)
        print(f"{name}: {model.description}")


@task(
    help={
        "export": "copy them, with SHA256SUMS, to this folder",
        "add": "take <cpu>.json.gz from elsewhere as this machine's own (with --model and --target)",
        "commit": "put this machine's own ones into the model's folder (with --model)",
        "model": "only this model's",
        "target": "of a database to add",
        "workspace": WORKSPACE,
        "debug": DEBUG,
    }
)
@guarded
def tuning(
    _: Context,
    export: str = "",
    add: str = "",
    commit: bool = False,
    model: str = "",
    target: str = "",
    workspace: str = "",
    debug: bool = False,
) -> None:
    """List the tuning databases, this machine's own and the committed; copy them out, in, into the models."""
    from dockyard.recipe.workspace import find_workspace
    from dockyard.run import tuning_store
    from shared.contract.errors import InputProblem

    found = find_workspace(workspace)
    if (add and not (model and target)) or (commit and not model):
        needed = "--model and --target" if add else "--model"
        raise InputProblem(f"--{'add' if add else 'commit'} needs {needed}")
    paths = [tuning_store.add(found, Path(add), model, target)] if add else []
    if commit:
        paths += tuning_store.commit(found, model)
    if export:
        paths += tuning_store.export(found, Path(export), model)
    for path in paths:
        print(found.display_path(path))
    if not (add or commit or export):
        from rich.console import Console

        from dockyard.report.tuning_table import tuning_table

        Console().print(tuning_table(found, model))


@task(help={"site": "folder for the documents as a site, which needs no network to be read", "debug": DEBUG})
@guarded
def docs(_: Context, site: str = "", debug: bool = False) -> None:
    """Write the pages that are made: the README's results, the reference of recipe and model.json."""
    from dockyard.docs_site import build_site
    from dockyard.generated_pages import generated_pages

    for page, text in generated_pages().items():
        page.write_text(text, encoding="utf-8")
        print(page.relative_to(ROOT))
    if site:
        build_site(Path(site), print)
        print(f"{site}/index.html")


@task(
    help={
        "fast": "only the tests that need no toolchain and no engine",
        "engines": "only the tests that do",
        "k": "as pytest's -k",
        "workers": "files of tests at the same time; 0 for one process that does it all",
    }
)
def test(context: Context, fast: bool = False, engines: bool = False, k: str = "", workers: int = 2) -> None:
    """Run the tests; those that need a container engine are skipped, and say so, where none answers."""
    parts = [
        *(["tests/integration"] if engines or not fast else []),
        *(["tests/contract", "tests/unit"] if fast or not engines else []),
    ]
    # A file's tests share what is made once for them. The long files come first, short ones fill up the end.
    distributed = ["-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder"]
    chosen = ["-k", k] if k else []
    command = [sys.executable, "-m", "pytest", "-q", "-ra", *distributed, *chosen, *parts]
    os.chdir(ROOT)
    os.execv(sys.executable, command)


@task
def lint(context: Context) -> None:
    """ruff, mypy in strict mode on the host, the shared code and each target, hadolint, shellcheck; of the
    workflows their schema and zizmor.
    """
    from dockyard.recipe.targets import code_folders
    from dockyard.recipe.workspace import Workspace

    roots = (ROOT, *sorted((ROOT / "benchmarks").iterdir()))
    targets = [
        (Workspace(root), name)
        for root in roots
        for name in Workspace(root, root).names("targets", "target.json")
    ]
    with context.cd(str(ROOT)):
        context.run(f"{sys.executable} -m ruff check .", pty=False)
        context.run(f"{sys.executable} -m ruff format --check .", pty=False)
        context.run(f"{sys.executable} -m mypy", pty=False)
        for workspace, target in targets:
            # Each by itself: modules of two targets have the same names.
            folders = code_folders(workspace, target)
            files = " ".join(str(folder.relative_to(ROOT)) for folder in folders)
            command = f"{sys.executable} -m mypy --ignore-missing-imports {files}"
            context.run(command, env={"MYPYPATH": os.pathsep.join(map(str, folders))}, pty=False)
        programs = Path(sys.executable).parent
        dockerfiles = "docker/*/Dockerfile benchmarks/*/docker/*/Dockerfile"
        context.run(f"{programs}/hadolint --config docker/hadolint.yaml {dockerfiles}", pty=False)
        scripts = "docker/*.sh docker/base/*.sh docker/base/install-locked .ci/run"
        scripts += " dockyard/deliver/site/*.sh dockyard/deliver/site/run"
        context.run(f"{programs}/shellcheck --severity=warning {scripts}", pty=False)
        workflows = ".github/workflows/*.yml"
        checked = f"{programs}/check-jsonschema --builtin-schema vendor.github-workflows {workflows}"
        context.run(checked, pty=False)
        context.run(f"{programs}/zizmor --offline --quiet --persona=auditor {workflows}", pty=False)
