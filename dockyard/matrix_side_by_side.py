"""A matrix on several devices: from the journal of a killed one to the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing

from rich.console import Console

from dockyard.device_groups import DeviceGroup, first_where_begun
from dockyard.device_processes import Began, run_groups
from dockyard.device_table import DeviceTable
from dockyard.matrix import RecipeOutcome
from dockyard.matrix_journal import Journal, journal
from dockyard.recipe.workspace import Workspace
from dockyard.report.write import write_report
from shared.contract.errors import EnvironmentProblem


def build_side_by_side(
    workspace: Workspace,
    groups: Sequence[DeviceGroup],
    command: Sequence[str],
    force: bool,
    on_outcome: Callable[[RecipeOutcome], None],
    console: Console,
) -> None:
    """Build recipes on their devices, one at a time on each. Where an earlier one was killed, go on with it.

    Args:
        command: as `run_groups` takes it, without the workspace, the recipe, its context and `--force`.
        force: measure anew, but for what a killed one that was forced had measured.
        on_outcome: takes what became of a recipe, as soon as it did.
        console: for the table of who does what, or lines.

    Raises:
        KeyboardInterrupt: every process has ended, and the report tells all that is published.
    """
    with journal(workspace) as kept:
        measured, begun = frozenset(kept.measured), dict(kept.begun)

        def of(group: DeviceGroup, recipe: str) -> list[str]:
            forced = ["--force"] if force and recipe not in measured else []
            context = ["--context", group.context] if group.context else []
            return [*command, *forced, *context, "--workspace", str(workspace.root), "--recipe", recipe]

        _say_what_was_killed(kept, force, console)
        ordered = first_where_begun(groups, {recipe: one.device for recipe, one in begun.items()})
        try:
            with DeviceTable(groups, console) as table, closing(run_groups(ordered, of)) as coming:
                for news in coming:
                    if isinstance(news, Began):
                        kept.begin(news.recipe, news.device, news.context)
                    table.tell(news)
                    if isinstance(news, RecipeOutcome):
                        on_outcome(news)
                        kept.end(news.recipe)
        except KeyboardInterrupt:
            if _is_report_old(workspace):  # a build that had published waited for its turn to write it
                write_report(workspace)
            raise
        _clear(workspace, {one.context for one in begun.values()}, console)


def _say_what_was_killed(kept: Journal, force: bool, console: Console) -> None:
    """Say what is gone on with."""
    for recipe, one in kept.begun.items():
        console.print(f"{recipe} was at work on {one.device} when its matrix was killed", highlight=False)
    if force and kept.measured:
        names = ", ".join(sorted(kept.measured))
        console.print(f"measured already, before the matrix was killed: {names}", highlight=False)


def _clear(workspace: Workspace, contexts: Iterable[str | None], console: Console) -> None:
    """Remove what killed matrices have left on devices elsewhere, if no build there has."""
    from dockyard.engines.docker import DockerExecutor

    for context in contexts:
        if context is None:  # the next build here removes it
            continue
        try:
            DockerExecutor(workspace, context).close()
        except EnvironmentProblem as problem:
            what = f"what was left on {context} stays until the next build there: {problem.what}"
            console.print(what, highlight=False, markup=False, soft_wrap=True)


def _is_report_old(workspace: Workspace) -> bool:
    """Tell whether a record was published after the report was written."""
    report = workspace.results / "report.md"
    written = report.stat().st_mtime if report.is_file() else 0.0
    published = (workspace.results / "records").rglob("*.json")
    # When it came there, and not when it was written, which a copy keeps.
    return any(path.stat().st_ctime > written for path in published)
