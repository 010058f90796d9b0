"""A fleet: the devices that a matrix may measure on, what recipes call them, and what each is for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dockyard.recipe import documents
from dockyard.recipe.workspace import Workspace
from shared.contract.errors import InputProblem, nearest
from shared.contract.recipe import Recipe

SCHEMA = Path(__file__).with_name("fleet.schema.json")

THIS_MACHINE = "here"
"""What measures the recipes that name no device."""


@dataclass(frozen=True)
class Device:
    """A device of a fleet.

    Attributes:
        name: as tables and messages call it.
        context: the Docker context that leads to it.
        labels: what recipes may call it by, too; devices that are alike share one.
        targets: that it may be used for; None for all.
    """

    name: str
    context: str
    labels: tuple[str, ...] = ()
    targets: tuple[str, ...] | None = None

    @property
    def called(self) -> tuple[str, ...]:
        """All that a recipe's `device` may call it by."""
        return (self.name, self.context, *self.labels)

    def is_for(self, targets: Iterable[str]) -> bool:
        """Tell whether it may be used for all of these targets."""
        return self.targets is None or set(targets) <= set(self.targets)


def load_fleet(workspace: Workspace, path: Path) -> tuple[Device, ...]:
    """Read a fleet's file and check it.

    Args:
        workspace: whose targets it may name.

    Raises:
        InputProblem: with file and JSON path: no such document, a target that is none, a context or a name
            that two devices share, a device that has the name of this machine.
    """
    where = workspace.display_path(path.resolve())
    document = documents.read_json(path, where)
    documents.check(document, SCHEMA, where)
    fleet: list[Device] = []
    for name, given in document["devices"].items():
        place = f"{where}: {documents.json_path(('devices', name))}"
        targets = given.get("targets")
        device = Device(name, given["context"], tuple(given.get("labels", ())), targets and tuple(targets))
        _check(workspace, device, fleet, place)
        fleet.append(device)
    return tuple(fleet)


def _check(workspace: Workspace, device: Device, others: Sequence[Device], place: str) -> None:
    if device.name == THIS_MACHINE:
        raise InputProblem(f"'{THIS_MACHINE}' is this machine, which is in no fleet", place, "another name")
    known = workspace.names("targets", "target.json")
    for number, target in enumerate(device.targets or ()):
        if target not in known:
            raise InputProblem(
                f"there is no target '{target}'", f"{place}.targets[{number}]", nearest(target, known)
            )
    for other in others:
        if device.context == other.context:
            what = f"'{other.name}' has the context '{device.context}', too"
            raise InputProblem(what, f"{place}.context", "a device stands in a fleet once")


def devices_for(fleet: Sequence[Device], recipe: Recipe) -> list[Device]:
    """Return the devices that do for a recipe which names one, in the fleet's order.

    Raises:
        InputProblem: none has the name, or none that has it may be used for the recipe's targets.
    """
    asked, where = recipe.device or "", f"{recipe.file}: $.device"
    called = [device for device in fleet if asked in device.called]
    if not called:
        names = {name for device in fleet for name in device.called}
        raise InputProblem(f"the fleet has no device '{asked}'", where, nearest(asked, names))
    targets = {recipe.target, *(one.target for one in recipe.optimizations if one.target)}
    found = [device for device in called if device.is_for(targets)]
    if not found:
        wanted = " and ".join(sorted(targets))
        allowed = (f"{device.name} for {', '.join(device.targets or ())}" for device in called)
        raise InputProblem(f"no device '{asked}' may be used for {wanted}", where, "; ".join(allowed))
    return found
