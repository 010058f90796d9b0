"""What there is: the models and targets are folders, the recipes files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dockyard.recipe import documents, graph
from dockyard.recipe.hashing import content_hash
from dockyard.recipe.places import MODELS, RECIPES, ROOT, TARGETS, shown
from shared.contract.errors import InputProblem, nearest
from shared.contract.model import Model, Network, Pipeline
from shared.contract.recipe import Recipe

REFERENCE = "tensorflow"
"""The target that everything is compared with."""


@dataclass(frozen=True)
class Target:
    """A target as its target.json tells.

    Attributes:
        toolchains: by release, the default first.
        sources: the forms of model that its `convert` reads.
        conversion: JSON Schema of what a recipe may say of a conversion.
        methods: description, data splits, option schemas and candidates of a search of each method.
        definitions: what the schemas refer to.
    """

    name: str
    description: str
    toolchains: Mapping[str, Mapping[str, Any]]
    sources: tuple[str, ...]
    conversion: Mapping[str, Any]
    methods: Mapping[str, Mapping[str, Any]]
    definitions: Mapping[str, Any]

    @property
    def default_toolchain(self) -> str:
        return next(iter(self.toolchains))

    def methods_of(self, toolchain: str) -> list[str]:
        """Return the methods that a toolchain has."""
        return [name for name, method in self.methods.items() if toolchain in method["options"]]

    def option_schema(self, method: str, toolchain: str) -> dict[str, Any]:
        """Return the JSON Schema of a method's options."""
        return self._resolved(self.methods[method]["options"][toolchain])

    @property
    def conversion_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a network's `conversion`."""
        return self._resolved(self.conversion)

    def _resolved(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return a schema that stands alone; one that only refers to a definition becomes that definition."""
        reference = str(schema.get("$ref", ""))
        own = self.definitions[reference.rpartition("/")[2]] if reference else schema
        return {**own, "$defs": self.definitions}


def names(folder: Path, marker: str) -> list[str]:
    """Return the sorted names of the folders that hold the file `marker`."""
    return sorted(p.parent.name for p in folder.glob(f"*/{marker}"))


def load_target(name: str, where: str) -> Target:
    """Load a target. Raises InputProblem with the nearest name when there is none."""
    known = names(TARGETS, "target.json")
    if name not in known:
        raise InputProblem(f"there is no target '{name}'", where, nearest(name, known))
    path = TARGETS / name / "target.json"
    document = documents.read_json(path)
    documents.check(document, documents.load_schema(TARGETS / "target.schema.json"), shown(path))
    return Target(
        name,
        document["description"],
        document["toolchains"],
        tuple(document["sources"]),
        document.get("conversion", {"type": "object", "additionalProperties": False}),
        document["methods"],
        document.get("$defs", {}),
    )


def load_model(name: str, where: str, models: Path = MODELS) -> Model:
    """Load a network or a pipeline and check its graph: form, checksum, tensor names, input shape.

    Raises:
        InputProblem: with the place and the nearest valid name.
    """
    known = names(models, "model.json")
    if name not in known:
        raise InputProblem(f"there is no model '{name}'", where, nearest(name, known))
    path = models / name / "model.json"
    document = documents.read_json(path)
    documents.check(document, documents.load_schema(MODELS / "model.schema.json"), shown(path))
    if "pipeline" in document:
        return Pipeline.from_json(name, document)
    network = Network.from_json(name, document)
    check_network(network, path.parent)
    return network


def check_network(network: Network, folder: Path) -> None:
    """Check a network's input specification and its graph file against each other. Raises InputProblem."""
    _check_input(network, shown(folder / "model.json"))
    check_graph(network, folder)


def _check_input(network: Network, where: str) -> None:
    channels = {"RGB": 3, "BGR": 3, "GRAY": 1}[network.input.channels]
    if network.input.channel_count != channels or network.input.shape[0] != 1:
        raise InputProblem(
            f"the shape {list(network.input.shape)} in the layout {network.input.layout} is not one image of {channels} channel(s)",
            f"{where}: $.input.shape",
        )
    symbols = network.outputs.get("symbols", {})
    if symbols.get("blank", 0) > len(symbols.get("alphabet", "")):
        raise InputProblem(
            f"the blank {symbols['blank']} is beyond the {len(symbols['alphabet'])} symbols of the alphabet",
            f"{where}: $.outputs.symbols.blank",
        )
    for key, values in (("mean", network.input.mean), ("scale", network.input.scale)):
        if len(values) not in (1, channels):
            raise InputProblem(f"{len(values)} values for {channels} channel(s)", f"{where}: $.input.{key}", "give one, or one a channel")


def check_graph(network: Network, folder: Path) -> None:
    """Check a network's graph, a file or a SavedModel's folder, against its model.json. Raises InputProblem."""
    where = shown(folder / "model.json")
    path = folder / network.graph
    if folder.resolve() not in path.resolve().parents:
        raise InputProblem(f"the path '{network.graph}' leaves the model's folder", f"{where}: $.graph.file")
    if not path.is_file() and not path.is_dir():
        raise InputProblem(f"there is no graph '{network.graph}'", f"{where}: $.graph.file", f"put it in {shown(folder)}/")
    outline = graph.read_outline(path, network.form)
    digest = content_hash(path)
    if digest != network.sha256:
        raise InputProblem(
            f"{network.graph} has the checksum {digest}, not {network.sha256[:12]}...",
            f"{where}: $.graph.sha256",
            "restore the graph, or write the new checksum after having looked at why it changed",
        )
    graph.check_names(network, outline, where)


def find_recipe(name: str) -> Path:
    """Return the recipe's file: a path, or a name in recipes/ with or without its ending."""
    given = Path(name)
    try:
        found = next((p for p in (given, RECIPES / name, RECIPES / f"{name}.json") if p.is_file()), None)
    except (OSError, ValueError) as error:
        raise InputProblem(f"no file name ({error})", name[:80]) from None
    if found is not None:
        return found
    if len(given.parts) > 1:
        raise InputProblem("no such file", name, "give a path to a recipe, or the name of one in recipes/")
    raise InputProblem(f"there is no recipe '{name}'", shown(RECIPES), nearest(given.stem, [Path(n).stem for n in recipe_names()]))


def recipe_names() -> list[str]:
    """Return the files in recipes/ that are recipes, sorted."""
    return sorted(p.name for p in RECIPES.glob("*.json") if p.name != "recipe.schema.json")


def load_recipe(name: str) -> Recipe:
    """Read a recipe and check its form: JSON, known keys and types.

    Raises:
        InputProblem: with file and JSON path.
    """
    path = find_recipe(name)
    document = documents.read_json(path)
    documents.check(document, documents.load_schema(RECIPES / "recipe.schema.json"), shown(path))
    recipe = Recipe.from_json(path.stem, document, shown(path.resolve()))
    if recipe.measure.max_rounds < recipe.measure.rounds:
        raise InputProblem(
            f"max_rounds ({recipe.measure.max_rounds}) is below rounds ({recipe.measure.rounds})", f"{shown(path)}: $.measure.max_rounds"
        )
    return recipe


def data_folder(recipe: Recipe) -> Path:
    """Return the user's own data folder of a recipe. Raises InputProblem when it is not there or leaves the repository."""
    where = f"{recipe.file}: $.data"
    try:
        folder = (ROOT / str(recipe.data)).resolve()
    except (OSError, ValueError) as error:
        raise InputProblem(f"no path ({error})", where) from None
    if ROOT not in folder.parents:
        raise InputProblem(f"the path '{recipe.data}' leaves the repository", where, "put the data below the repository")
    if not folder.is_dir():
        raise InputProblem(f"there is no folder '{recipe.data}'", where)
    return folder
