"""Where things lie in the repository."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
RECIPES = ROOT / "recipes"
MODELS = ROOT / "models"
TARGETS = ROOT / "targets"
SHARED = ROOT / "shared"
RESULTS = ROOT / "results"
STATE = ROOT / ".dockyard"


def shown(path: Path) -> str:
    """Return a path as a user reads it: relative to the repository where it lies in it."""
    try:
        return str(path.relative_to(ROOT))
    except ValueError:
        return str(path)
