#!/usr/bin/env python3
"""Each recipe measured by itself, one report of all, and what changed since the last release.

These are the steps of .github/workflows/matrix.yml, each by its name; `all` takes them one after the other on
this machine. What comes of them is in .dockyard/measured. The environment may have

    DOCKYARD_ENGINE   auto (the default), docker or venv
    DOCKYARD_DEVICES  the devices that recipes may name, separated by spaces; recipes for others are left out
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MEASURED = ROOT / ".dockyard" / "measured"
RECORDS, OUTCOMES = MEASURED / "results" / "records", MEASURED / "outcomes"
MOST_CHARACTERS = 500_000
"""Of a summary: GitHub takes 1 MiB."""


def inv(*arguments: str, is_shown: bool = True) -> tuple[int, str]:
    """Run a task; return its exit code and what it printed on stdout."""
    command = [str(ROOT / "inv"), *arguments]
    lines = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if is_shown:
                print(line, end="", flush=True)
    return process.returncode, "".join(lines)


def find_cells(recipes: list[str]) -> list[dict[str, str]]:
    """Return the recipes, all where none is named, as GitHub's matrix takes them."""
    code, printed = inv("plan", "--json", is_shown=False)
    if code:
        sys.exit(code)
    found = {cell["recipe"]: cell for cell in json.loads(printed)["include"]}
    for name in recipes:
        if name not in found:
            sys.exit(f"there is no recipe '{name}'; there are {', '.join(found)}")
    devices = ("", *os.environ.get("DOCKYARD_DEVICES", "").split())
    wanted = [found[name] for name in recipes or found]
    for cell in wanted:
        if cell["device"] not in devices:
            print(f"left out: {cell['recipe']}, for the device {cell['device']}", file=sys.stderr)
    return [cell for cell in wanted if cell["device"] in devices]


def measure(recipe: str) -> int:
    """Measure a recipe; return the exit code of that. Its records are kept whatever became of it."""
    OUTCOMES.mkdir(parents=True, exist_ok=True)
    runs = ROOT / ".dockyard" / "runs" / recipe
    before = set(runs.glob("*"))
    engine = os.environ.get("DOCKYARD_ENGINE") or "auto"
    code, printed = inv("matrix", "--recipe", recipe, "--engine", engine, "--force")
    (*_, last) = ["", *printed.splitlines()]
    (OUTCOMES / f"{recipe}.txt").write_text(f"{last}\n")
    shutil.rmtree(RECORDS / recipe, ignore_errors=True)
    for run in set(runs.glob("*")) - before:
        shutil.copytree(run, RECORDS / recipe)
    return code


def report() -> int:
    """Report all that was measured; GitHub shows it as the run's summary."""
    for folder in ("recipes", "models"):  # what makes it a workspace
        (MEASURED / folder).mkdir(parents=True, exist_ok=True)
    code, _ = inv("report", "--workspace", str(MEASURED))
    if code:
        return code
    outcomes = [f"- {path.read_text()}" for path in sorted(OUTCOMES.glob("*.txt"))]
    page = (MEASURED / "results" / "report.md").read_text().splitlines()
    shown = [line for line in page if not line.startswith("![")]  # a summary has no pictures of its own
    summary = "\n".join(["# What was measured", "", *outcomes, *shown])[:MOST_CHARACTERS]
    (MEASURED / "summary.md").write_text(summary)
    if "GITHUB_STEP_SUMMARY" in os.environ:
        with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a") as file:
            file.write(summary)
    print(f"summary: {(MEASURED / 'summary.md').relative_to(ROOT)}")
    return 0


def compare(release: str) -> int:
    """Compare with the results that are committed in a release, the last one where none is named."""
    tags = git("tag", "--merged", "HEAD", "--sort=-creatordate") or ""
    release = release or tags.partition("\n")[0]
    if not release:
        print("nothing is compared: there is no release")
        return 0
    released = MEASURED / "released"
    shutil.rmtree(released, ignore_errors=True)
    released.mkdir(parents=True)
    archive = released / "results.tar"
    if git("archive", "--output", str(archive), release, "results/records") is None:
        return 1
    shutil.unpack_archive(archive, released)
    worse = [now.name for now in sorted(RECORDS.glob("*")) if is_worse(released / "results" / "records", now)]
    print(f"slower or lossier than {release}: {', '.join(worse) or 'nothing'}")
    return bool(worse)


def is_worse(released: Path, now: Path) -> bool:
    """Tell whether a recipe is slower or lossier than it was in a release, as far as that can be told."""
    before = released / now.name
    print(f"\n{now.name}: A is the release, B is now")
    if not before.is_dir():
        print("not in the release")
        return False
    if (OUTCOMES / f"{now.name}.txt").read_text().startswith("skipped"):
        print("nothing was measured")
        return False
    code, printed = inv("compare", str(before), str(now))
    if not code and "device differs: " in printed:
        print("measured on another device: other speeds there say nothing of the code")
        return False
    return bool(inv("compare", str(before), str(now), "--fail-on", "slower,lossier", is_shown=False)[0])


def git(*arguments: str) -> str | None:
    """Return what git prints; None where it fails, which it says."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    return None if done.returncode else done.stdout.strip()


def do_all(recipes: list[str]) -> int:
    """Measure each recipe, report and compare; return 1 where any of it failed."""
    cells = find_cells(recipes)
    shutil.rmtree(MEASURED, ignore_errors=True)
    codes = [measure(cell["recipe"]) for cell in cells]
    return int(any([*codes, report(), compare("")]))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_subparsers(dest="step", required=True)
    for name in ("cells", "all"):
        steps.add_parser(name).add_argument("recipes", nargs="*", help="names; all of them by default")
    steps.add_parser("measure").add_argument("recipe")
    steps.add_parser("report")
    steps.add_parser("compare").add_argument("release", nargs="?", default="", help="a tag or commit")
    given = parser.parse_args()
    if given.step == "cells":
        print(json.dumps({"include": find_cells(given.recipes)}))
        return 0
    if given.step == "measure":
        return measure(given.recipe)
    if given.step == "report":
        return report()
    return compare(given.release) if given.step == "compare" else do_all(given.recipes)


if __name__ == "__main__":
    sys.exit(main())
