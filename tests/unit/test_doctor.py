"""The doctor says of each thing whether it is ready and, where it is not, what to do."""

from __future__ import annotations

from dockyard.doctor import examine
from dockyard.recipe.workspace import Workspace


def test_what_is_looked_at(workspace: Workspace) -> None:
    """A context that does not answer and a broken model of the workspace's own are to be mended; the rest is
    looked at all the same, Dockyard's models among it.
    """
    folder = workspace.root / "models" / "broken"
    folder.mkdir()
    (folder / "model.json").write_text("{}")
    found = {finding.what: finding for finding in examine(workspace, "no-such-context")}

    def level(beginning: str) -> str:
        return next(finding.level for what, finding in found.items() if what.startswith(beginning))

    assert level("Docker context no-such-context") == "bad"
    assert level("model broken: the key 'task' is missing") == "bad"
    assert level("model digits") == "ok"
    assert level("environment .dockyard/venvs/tensorflow") == "note"
    assert level("Python") in ("ok", "note")
    assert all(finding.advice for what, finding in found.items() if what.startswith("environment"))
