"""Targets: what target.json says of a kind of hardware and its toolchains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dockyard.recipe import documents
from dockyard.recipe.workspace import PRODUCT, Workspace
from shared.contract.errors import InputProblem, nearest
from shared.contract.model import EIGHT_BITS, FLOAT16

REFERENCE_TARGET = "tensorflow"
"""The target that everything is compared with."""

CONVERSION_TOLERANCE = 1e-3
"""Largest difference of a converted float32 graph from the reference, over the output's largest value."""

COARSE_TOLERANCE: Mapping[str, float] = {FLOAT16: 1e-2, EIGHT_BITS: 0.5}
"""The same, and of full precision's methods too, for a graph that came in another arithmetic. Half precision
has 11 bits, of which a chain of sums loses a few. In 8 bits a step of rounding that another runtime takes the
other way turns a close decision over, and what that costs is for its quality to say; half of an output's
largest value is more than rounding explains."""

JsonSchema = Mapping[str, Any]


@dataclass(frozen=True)
class OnnxWish:
    """How a toolchain wants the ONNX that the reference makes of a graph which the target does not read.

    Attributes:
        opset: None for the reference's own choice.
        layout: of the input; None for the graph's own.
    """

    opset: int | None = None
    layout: str | None = None


@dataclass(frozen=True)
class Platform:
    """What a toolchain asks of the machine whose engine runs its image.

    Attributes:
        architecture: as `uname -m` has it, `aarch64`; None for any.
        l4t_from, l4t_before: releases of Linux for Tegra, `36.4`; None where it needs none of them.
        runtime: the container runtime its containers run with, `nvidia`; None for the engine's own.
        dla_compiler: it loads the device's library of that name.
        optional_runtime: as `runtime`, of a toolchain that has work to do where the engine lacks it, too.
        base: the vendor's image that its own is made on, with its tag; None for Dockyard's.
        devel: the vendor's image with compilers and headers, where what it takes is compiled; or None.
        packages: Debian's, which its image has and a machine needs to do without one.
    """

    architecture: str | None = None
    l4t_from: str | None = None
    l4t_before: str | None = None
    runtime: str | None = None
    dla_compiler: bool = False
    optional_runtime: str | None = None
    base: str | None = None
    devel: str | None = None
    packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preparation:
    """What converts, optimizes and predicts for a toolchain, which compiles what that leaves.

    Attributes:
        target, toolchain: whose.
        is_ahead_of_time: its own compiling needs no device.
        conversion: options of its conversion that this toolchain needs.
    """

    target: str
    toolchain: str
    is_ahead_of_time: bool = False
    conversion: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Toolchain:
    """A release of a target's vendor tools.

    Attributes:
        python: the Python releases it runs on, as `>=3.10,<3.12`; None for any that Dockyard runs on.
        onnx: how it wants the ONNX that the reference makes for it.
        tolerance: largest difference from the reference's outputs, over their largest value, of what
            `convert` leaves.
        platform: what it asks of the machine.
        preparation: None where it does all by itself.
    """

    python: str | None = None
    onnx: OnnxWish = field(default_factory=OnnxWish)
    tolerance: float = CONVERSION_TOLERANCE
    platform: Platform = Platform()
    preparation: Preparation | None = None


@dataclass(frozen=True)
class Method:
    """An optimization that a target offers.

    Attributes:
        data: the splits that it may see.
        quantizes: it makes 8-bit numbers of real ones, and has nothing to do on a graph that has them.
        tunes: its job goes on from the model's tuning databases, and what it leaves of them is kept.
        is_accuracy_aware: it takes the allowed drop as `max_drop`, the recipe's requirement by default.
        tolerance: largest difference from the reference's outputs over their largest value; None for any.
        calibration_minimum: fewer calibration images than that are a warning.
        starts_from: by toolchain, the method whose artifact this one can go on from.
        options: JSON Schema of its options by toolchain; a toolchain that is not there lacks the method.
        search: the sets of options that a search tries, by toolchain.
    """

    name: str
    description: str
    data: tuple[str, ...] = ()
    quantizes: bool = False
    tunes: bool = False
    is_accuracy_aware: bool = False
    tolerance: float | None = None
    calibration_minimum: int = 0
    starts_from: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, JsonSchema] = field(default_factory=dict)
    search: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """A target as its target.json has it.

    Attributes:
        toolchains: by release, the default first.
        formats: of the graphs that its `convert` reads.
        shares: folders of modules that it has in common with other targets.
        conversion: JSON Schema of what a recipe may say of a conversion.
        methods: by name.
        definitions: what the schemas refer to.
        compiling: options of its methods that only its compiler takes.
        predicts: its artifacts run on devices that are not always at hand, and it can tell what quality they
            are likely to have there.
        image_sources: folders beside the target's whose sources its image compiles.
    """

    name: str
    description: str
    toolchains: Mapping[str, Toolchain]
    formats: tuple[str, ...]
    shares: tuple[str, ...]
    conversion: JsonSchema
    methods: Mapping[str, Method]
    definitions: Mapping[str, Any]
    predicts: bool = False
    compiling: tuple[str, ...] = ()
    image_sources: tuple[str, ...] = ()

    @property
    def default_toolchain(self) -> str:
        return next(iter(self.toolchains))

    def methods_of(self, toolchain: str) -> list[str]:
        """Return the names of the methods that a toolchain has."""
        return [name for name, method in self.methods.items() if toolchain in method.options]

    def option_schema(self, method: str, toolchain: str) -> JsonSchema:
        """Return the JSON Schema of a method's options."""
        return self._standalone(self.methods[method].options[toolchain])

    @property
    def conversion_schema(self) -> JsonSchema:
        """The JSON Schema of a network's `conversion`."""
        return self._standalone(self.conversion)

    def _standalone(self, schema: JsonSchema) -> JsonSchema:
        """Return a schema with its definitions; a mere reference to a definition becomes that definition."""
        reference = str(schema.get("$ref", ""))
        own = self.definitions[reference.rpartition("/")[2]] if reference else schema
        return {**own, "$defs": self.definitions}


def load_target(workspace: Workspace, name: str, where: str) -> Target:
    """Load a target. Raises InputProblem with the nearest name when there is none."""
    target = _read_target(workspace, name, where)
    _check_preparations(workspace, target)
    return target


def _read_target(workspace: Workspace, name: str, where: str) -> Target:
    known = workspace.names("targets", "target.json")
    if name not in known:
        raise InputProblem(f"there is no target '{name}'", where, nearest(name, known))
    path = workspace.target(name) / "target.json"
    place = workspace.display_path(path)
    document = documents.read_json(path, place)
    documents.check(document, PRODUCT / "targets" / "target.schema.json", place)
    methods = {method: _method(method, entry) for method, entry in document["methods"].items()}
    for method in methods.values():
        _check_start(method, methods, place)
    _check_shares(workspace, name, document.get("shares", ()), place)
    _check_image_sources(workspace, document.get("image_sources", ()), place)
    toolchains = {release: _toolchain(entry) for release, entry in document["toolchains"].items()}
    return Target(
        name,
        document["description"],
        toolchains,
        tuple(document["sources"]),
        tuple(document.get("shares", ())),
        document.get("conversion", {"type": "object", "additionalProperties": False}),
        methods,
        document.get("$defs", {}),
        document.get("predicts", False),
        tuple(document.get("compiling", ())),
        tuple(document.get("image_sources", ())),
    )


def code_folders(workspace: Workspace, name: str) -> tuple[Path, ...]:
    """Return the folders whose modules lie together in a target's jobs: those it shares, then its own."""
    shares = load_target(workspace, name, f"targets/{name}").shares
    return (*(workspace.modules(folder) for folder in shares), workspace.target(name))


def _check_start(method: Method, methods: Mapping[str, Method], place: str) -> None:
    """Raise InputProblem where a method starts from one that its toolchain does not have."""
    for toolchain, start in method.starts_from.items():
        has_it = [name for name, other in methods.items() if toolchain in other.options]
        if start not in has_it:
            where = f"{place}: $.methods.{method.name}.starts_from"
            raise InputProblem(f"{toolchain} has no method '{start}'", where, nearest(start, has_it))


def _check_preparations(workspace: Workspace, target: Target) -> None:
    """Raise InputProblem where what prepares for a toolchain is not there, or is prepared for itself."""
    place = workspace.display_path(workspace.target(target.name) / "target.json")
    for release, toolchain in target.toolchains.items():
        if toolchain.preparation is None:
            continue
        where = f"{place}: $.toolchains['{release}'].prepared_by"
        name, wanted = toolchain.preparation.target, toolchain.preparation.toolchain
        preparer = _read_target(workspace, name, where)
        if wanted not in preparer.toolchains:
            advice = nearest(wanted, preparer.toolchains)
            raise InputProblem(f"{name} has no toolchain '{wanted}'", where, advice)
        if preparer.toolchains[wanted].preparation is not None:
            raise InputProblem(f"{name} {wanted} is prepared by another one", where, "name that one")


def _check_shares(workspace: Workspace, name: str, shares: Sequence[str], place: str) -> None:
    """Raise InputProblem where a folder of modules is not there, or two modules would be in one place."""
    where: dict[str, str] = {}
    for number, folder in enumerate((*shares, name)):
        modules = sorted(path.name for path in workspace.modules(folder).glob("*.py"))
        if not modules and folder != name:
            advice = f"make targets/{folder}/ with the modules, or leave it out"
            raise InputProblem(
                f"there is no folder of modules '{folder}'", f"{place}: $.shares[{number}]", advice
            )
        for module in modules:
            if module in where:
                what = f"{module} is in targets/{where[module]}/ and in targets/{folder}/"
                raise InputProblem(what, f"{place}: $.shares", "give one of them another name")
            where[module] = folder


def _check_image_sources(workspace: Workspace, names: Sequence[str], place: str) -> None:
    """Raise InputProblem where a folder of sources is not there."""
    for number, name in enumerate(names):
        if not workspace.modules(name).is_dir():
            advice = f"make targets/{name}/ with the sources, or leave it out"
            where = f"{place}: $.image_sources[{number}]"
            raise InputProblem(f"there is no folder of sources '{name}'", where, advice)


def _toolchain(entry: Mapping[str, Any]) -> Toolchain:
    platform = entry.get("platform", {})
    l4t = platform.get("l4t", {})
    prepared, ahead_of_time = entry.get("prepared_by"), entry.get("ahead_of_time", False)
    return Toolchain(
        entry.get("python"),
        OnnxWish(**entry.get("onnx", {})),
        entry.get("tolerance", CONVERSION_TOLERANCE),
        Platform(
            platform.get("architecture"),
            l4t.get("from"),
            l4t.get("before"),
            platform.get("runtime"),
            platform.get("dla_compiler", False),
            platform.get("optional_runtime"),
            platform.get("base"),
            platform.get("devel"),
            tuple(platform.get("packages", ())),
        ),
        None if prepared is None else _preparation(prepared, ahead_of_time),
    )


def _preparation(entry: Mapping[str, Any], is_ahead_of_time: bool) -> Preparation:
    return Preparation(entry["target"], entry["toolchain"], is_ahead_of_time, entry.get("conversion", {}))


def _method(name: str, entry: Mapping[str, Any]) -> Method:
    return Method(
        name,
        entry["description"],
        tuple(entry.get("data", ())),
        entry.get("quantizes", False),
        entry.get("tunes", False),
        entry.get("accuracy_aware", False),
        entry.get("tolerance"),
        entry.get("calibration_minimum", 0),
        entry.get("starts_from", {}),
        entry["options"],
        {toolchain: tuple(sets) for toolchain, sets in entry.get("search", {}).items()},
    )


def with_defaults(options: Mapping[str, Any], schema: JsonSchema) -> dict[str, Any]:
    """Return options with the defaults of their schema filled in, those of nested objects too."""
    filled = dict(options)
    for key, entry in schema.get("properties", {}).items():
        if "default" in entry:
            filled.setdefault(key, entry["default"])
        elif entry.get("properties"):
            inner = with_defaults(filled.get(key, {}), entry)
            if inner:
                filled[key] = inner
    return filled
