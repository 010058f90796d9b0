"""The record that something is done with: of the variant that was asked for, or that is recommended."""

from __future__ import annotations

from dockyard.judge.assessment import Assessment, Verdict
from dockyard.judge.record_files import read_records
from dockyard.judge.records import model_hash
from dockyard.judge.verdicts import judge
from dockyard.plan.plan import REFERENCE_VARIANT, Plan
from dockyard.recipe.targets import Preparation, Toolchain
from shared.contract.errors import InputProblem, nearest
from shared.contract.record import Record, RecordStatus


def chosen(plan: Plan, variant: str | None, unmeasured: bool = False) -> Assessment:
    """Return a published variant of what a recipe is for: its pipeline, or its one network.

    Args:
        variant: None takes the recommended one.
        unmeasured: one that was prepared without the device that compiles it will do, too.

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
    if found.record.status != RecordStatus.MEASURED and not (unmeasured and _was_prepared(plan, found)):
        if not unmeasured and _was_prepared(plan, found):
            advice = f"on its device: `./inv build --recipe {name}.json`; or deliver it with --unmeasured"
        reason = f" ({found.record.reason})" if found.record.reason else ""
        raise InputProblem(f"{found.record.variant} was not measured{reason}", plan.recipe.file, advice)
    if found.record.identity.get("model_sha256") != model_hash(plan, model):
        what = f"{model} or one of its networks has changed since it was measured"
        raise InputProblem(what, plan.recipe.file, advice)
    return found


def _was_prepared(plan: Plan, found: Assessment) -> bool:
    """Tell whether all is there of a variant that its device would compile at the first start."""
    record = found.record
    is_not_measured = record.status == RecordStatus.NOT_MEASURED and not found.was_left
    is_whole = all(name in record.artifacts and record.artifacts[name].cache_key for name in plan.networks)
    return is_not_measured and is_whole and preparation_of(plan, record) is not None


def preparation_of(plan: Plan, record: Record) -> Preparation | None:
    """Return what prepares what a record's toolchain compiles on the device; None where nothing is."""
    toolchain = plan.targets[record.target].toolchains[record.toolchain]
    return toolchain.preparation if builds_on_device(toolchain) else None


def builds_on_device(toolchain: Toolchain) -> bool:
    """Tell whether what a toolchain runs is built on the device, of what another one prepares anywhere."""
    return toolchain.preparation is not None and not toolchain.preparation.is_ahead_of_time
