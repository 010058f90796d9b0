"""The record that something is done with: of the variant that was asked for, or that is recommended."""

from __future__ import annotations

from dockyard.judge.assessment import Assessment, Verdict
from dockyard.judge.record_files import read_records
from dockyard.judge.records import model_hash
from dockyard.judge.verdicts import judge
from dockyard.plan.plan import REFERENCE_VARIANT, Plan
from shared.contract.errors import InputProblem, nearest
from shared.contract.record import RecordStatus


def chosen(plan: Plan, variant: str | None) -> Assessment:
    """Return a published variant of what a recipe is for: its pipeline, or its one network.

    Args:
        variant: None takes the recommended one.

    Raises:
        InputProblem: nothing is published, there is no such variant, it was not measured, none is
            recommended, or the model has changed since.
    """
    name, workspace = plan.recipe.name, plan.workspace
    model = plan.models[-1]
    records = read_records(workspace.results / "records" / name, workspace.display_path)
    own = {one.record.variant: one for one in judge(records) if one.record.model == model}
    own.pop(REFERENCE_VARIANT, None)
    advice = f"measure it first: `./inv build --recipe {name}.json`"
    if not own:
        raise InputProblem(f"nothing is published of {name}", plan.recipe.file, advice)
    if variant is not None:
        if variant not in own:
            raise InputProblem(f"there is no variant '{variant}'", "--variant", nearest(variant, own))
        found = own[variant]
    else:
        recommended = [one for one in own.values() if one.verdict == Verdict.RECOMMENDED]
        if not recommended:
            what = f"no variant of {name} is recommended"
            raise InputProblem(what, plan.recipe.file, f"choose one with --variant: {', '.join(own)}")
        found = recommended[0]
    if found.record.status != RecordStatus.MEASURED:
        raise InputProblem(f"{found.record.variant} was not measured", plan.recipe.file, advice)
    if found.record.identity.get("model_sha256") != model_hash(plan, model):
        what = f"{model} or one of its networks has changed since it was measured"
        raise InputProblem(what, plan.recipe.file, advice)
    return found
