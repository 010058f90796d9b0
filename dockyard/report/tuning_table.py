"""The tuning databases that there are, as a table for the terminal."""

from __future__ import annotations

from rich.table import Column, Table

from dockyard.recipe.workspace import Workspace
from dockyard.run.tuning_store import every_database, summarize


def tuning_table(workspace: Workspace, model: str = "") -> Table:
    """Return the databases of all models, or of one.

    Raises:
        InputProblem: a database that cannot be read.
    """
    names = ("model", "target", "cpu", "where")
    columns = [Column(name, overflow="fold") for name in names]
    table = Table(*columns, "tasks done", "trials", "sum of best ms x weight", "kB")
    for database in every_database(workspace, model):
        found = summarize(workspace, database)
        table.add_row(
            database.model,
            database.target,
            found.cpu,
            database.origin.value,
            f"{found.tasks_done}/{found.tasks}",
            str(found.trials),
            "-" if found.best_ms is None else f"{found.best_ms:.3f}",
            f"{found.kilobytes:.1f}",
        )
    return table
