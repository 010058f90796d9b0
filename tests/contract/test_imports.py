"""Imports run one way, and the code that containers share runs on Python 3.8."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from dockyard.recipe.targets import code_folders
from dockyard.recipe.workspace import Workspace
from tests.conftest import ROOT

STANDARD = sys.stdlib_module_names
IN_EVERY_IMAGE = {"numpy", "cv2", "psutil"}
OF_VIDEOS = {"video.py", "pictures.py", "annotated_video.py"}
WITH_THE_BASE = {
    "l4t-tensorrt": {"tensorrt"},
    "deepstream-l4t": {"gi", "pyds", "tensorrt"},
    "deepstream-software": {"gi"},
}
"""By target, modules that come with its base or with packages of Debian's, and are in no lock."""


def named(requirements: Path) -> set[str]:
    """The packages that a requirements file names, by their names alone."""
    lines = requirements.read_text().splitlines()
    return {re.split(r"[^\w-]", line)[0].lower() for line in lines if line[:1].isalpha()}


def modules_of(packages: set[str]) -> set[str]:
    """The modules that installed packages bring."""
    installed = packages_distributions().items()
    return {module for module, names in installed if packages & set(map(str.lower, names))}


HOST_MODULES = modules_of(named(ROOT / "requirements.in")) - {"cv2"}
"""What the host may import; OpenCV is there for the tests and the models' generators."""


def files(*patterns: str) -> list[Path]:
    return sorted(p for pattern in patterns for p in ROOT.glob(pattern) if "__pycache__" not in p.parts)


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> set[str]:
    """The modules that a file imports, anywhere in it; relative ones by their full name."""
    found: set[str] = set()
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *(node.module.split(".") if node.module else [])])
            found |= {module} if node.module else {f"{module}.{alias.name}" for alias in node.names}
            if module in ("shared", "dockyard"):
                found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def top(module: str) -> str:
    return module.split(".")[0]


def below(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


DOCKYARD = files("dockyard/**/*.py")
HOST = [*DOCKYARD, ROOT / "tasks.py"]
CONTRACT = files("shared/contract/**/*.py")
INFERENCE = files("shared/inference/**/*.py")
HARNESS = files("shared/harness/**/*.py")
SERVING = files("shared/serving/**/*.py")
ENTRIES = files("targets/**/*.py")
MODELS = files("models/**/*.py")
OURS = Workspace(ROOT)
CODE_FOLDERS = {name: code_folders(OURS, name) for name in OURS.names("targets", "target.json")}
"""Of each target, the folders whose modules lie together in its jobs."""

PACKAGES = ("recipe", "plan", "run", "judge", "report", "deliver")
"""The host's packages in the order of the work: each imports only from those before it."""

BEFORE_INSTALL = ROOT / "dockyard" / "package_index.py"
"""What `inv` imports before anything is installed."""


def package_of(path: Path) -> str:
    """The package of dockyard/ that a file is in; empty for the modules at the top."""
    return path.relative_to(ROOT / "dockyard").parts[0] if path.parent != ROOT / "dockyard" else ""


def packages_imported(path: Path) -> set[str]:
    """The packages of dockyard/ that a file imports, its own left out."""
    found = {module.split(".")[1] for module in imports(path) if below(module, "dockyard") and "." in module}
    return found - {package_of(path)}


def test_every_part_of_the_house_is_looked_at() -> None:
    """The tests below look at files of every part and every package."""
    assert all(len(part) > 1 for part in (HOST, CONTRACT, INFERENCE, HARNESS, SERVING, ENTRIES, MODELS))
    assert all((ROOT / "dockyard" / package / "__init__.py").is_file() for package in (*PACKAGES, "engines"))


@pytest.mark.parametrize("path", HOST, ids=shown)
def test_host(path: Path) -> None:
    """The host imports what it requires, no vendor's package, and of the containers' side the contract."""
    for module in imports(path):
        inside = below(module, "dockyard") or module == "shared" or below(module, "shared.contract")
        assert top(module) in STANDARD | HOST_MODULES or inside, module


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_one_way(package: str) -> None:
    """recipe -> plan -> run -> judge -> report -> deliver: each imports only from those before it."""
    before = set(PACKAGES[: PACKAGES.index(package)])
    if package == "run":
        before.add("engines")
    for path in files(f"dockyard/{package}/**/*.py"):
        assert packages_imported(path) <= before, path


def test_engines_know_recipes_only() -> None:
    """What runs jobs knows the workspace and the targets, nothing of plans, records or reports."""
    for path in files("dockyard/engines/**/*.py"):
        assert packages_imported(path) <= {"recipe", "package_index", "debian_index"}, path


def test_what_inv_imports_needs_no_install() -> None:
    """The one module that `inv` imports before anything is installed has the standard library only."""
    assert {top(module) for module in imports(BEFORE_INSTALL)} <= STANDARD
    assert imports(ROOT / "dockyard" / "__init__.py") == set()
    wanted = {module for module in imports(ROOT / "inv") if top(module) not in STANDARD}
    assert wanted == {"dockyard", "dockyard.package_index"}


@pytest.mark.parametrize("path", CONTRACT, ids=shown)
def test_contract(path: Path) -> None:
    """The contract imports the standard library and itself."""
    for module in imports(path):
        assert top(module) in STANDARD or below(module, "shared.contract"), module


@pytest.mark.parametrize("path", INFERENCE, ids=shown)
def test_inference(path: Path) -> None:
    """What ships to a client imports the contract, itself, the standard library, numpy and OpenCV; what reads
    and writes videos PyAV beside.
    """
    own = {"numpy", "cv2"} | ({"av"} if path.name in OF_VIDEOS else set())
    for module in imports(path):
        inside = below(module, "shared.contract") or below(module, "shared.inference")
        assert top(module) in STANDARD | own or inside, module


@pytest.mark.parametrize("path", HARNESS, ids=shown)
def test_harness(path: Path) -> None:
    """The harness imports what ships, itself, the standard library and the packages of every image."""
    for module in imports(path):
        inside = any(below(module, f"shared.{part}") for part in ("contract", "inference", "harness"))
        assert top(module) in STANDARD | IN_EVERY_IMAGE or inside, module


@pytest.mark.parametrize("path", SERVING, ids=shown)
def test_serving(path: Path) -> None:
    """What a delivered container runs imports what ships, itself, the standard library, numpy, OpenCV; what
    serves over HTTP the packages that a delivery brings beside.
    """
    service = modules_of(named(ROOT / "docker" / "delivery" / "requirements.in"))
    for module in imports(path):
        inside = any(below(module, f"shared.{part}") for part in ("contract", "inference", "serving"))
        assert top(module) in STANDARD | {"numpy", "cv2"} | service or inside, module


def is_brought(module: str, packages: set[str]) -> bool:
    """Tell whether a package has a module's name, or that with a word before or after it (`apache-tvm`).

    A release of CUDA in a package's name (`-cu12`) does not count.
    """
    name = module.replace("_", "-")
    known = [re.sub(r"-cu\d+", "", package) for package in packages]
    return any(f"-{name}-" in f"-{package}-" for package in known)


@pytest.mark.parametrize("path", ENTRIES, ids=shown)
def test_entries(path: Path) -> None:
    """A target imports what is in its folder, in those that it shares and in its image, and of ours the code
    that containers share; what several targets share, each of them can import. What no target has yet needs
    no image.
    """
    folder = ROOT / "targets" / path.relative_to(ROOT / "targets").parts[0]
    users = [target for target, folders in CODE_FOLDERS.items() if folder in folders]
    for target in users or [folder.name]:
        places = CODE_FOLDERS.get(target, (folder,))
        beside = {module.stem for place in places for module in place.glob("*.py")}
        locks = files(f"docker/{target}/requirements-*.txt")
        packages = set[str]().union(*(named(lock) for lock in locks))
        for module in imports(path):
            inside = any(below(module, f"shared.{part}") for part in ("contract", "inference", "harness"))
            around = STANDARD | IN_EVERY_IMAGE | beside | WITH_THE_BASE.get(target, set())
            is_known = top(module) in around or is_brought(top(module), packages)
            assert is_known or inside, (target, module)


@pytest.mark.parametrize("path", [*CONTRACT, *INFERENCE, *HARNESS, *SERVING, *ENTRIES, *MODELS], ids=shown)
def test_nothing_looks_back_at_the_host(path: Path) -> None:
    """Nothing that runs in a container, and no model, imports the host."""
    host = ("dockyard", "tasks", "invoke", "docker", "rich")
    assert not [module for module in imports(path) if top(module) in host]


@pytest.mark.parametrize(
    "path", files("dockyard/**/*.py", "shared/**/*.py", "targets/**/*.py", "models/**/*.py"), ids=shown
)
def test_invoke_is_for_the_tasks(path: Path) -> None:
    """Nothing but tasks.py imports Invoke."""
    assert not [m for m in imports(path) if top(m) == "invoke"]


def test_requirements_hold_no_vendor() -> None:
    """Of what the targets' images hold, the host has what it or a generator of data needs."""
    vendors = set[str]().union(*(named(path) for path in files("docker/*/requirements-*.in")))
    assert "openvino" in vendors
    pinned = named(ROOT / "requirements.txt") & vendors
    assert pinned == {"av", "cloudpickle", "numpy", "opencv-python-headless", "pillow", "psutil", "scipy"}


def loads(target: str) -> set[Path]:
    """The modules of a target that its `serving.py` imports, anywhere in them, and itself."""
    places = CODE_FOLDERS[target]
    found, ahead = set[Path](), [ROOT / "targets" / target / "serving.py"]
    while ahead:
        path = ahead.pop()
        found.add(path)
        beside = {place / f"{module}.py" for module in imports(path) for place in places}
        ahead += [each for each in beside if each.is_file() and each not in found]
    return found


DELIVERED = ("deepstream-l4t", "intel-openvino", "l4t-tensorrt", "onnxruntime", "tensorrt-onnx", "tvm-llvm")


@pytest.mark.parametrize("target", DELIVERED)
def test_what_is_delivered_needs_no_harness(target: str) -> None:
    """What loads a target's artifacts at a client's imports nothing of what measures."""
    for path in loads(target):
        assert not [module for module in imports(path) if below(module, "shared.harness")], path
    entry = imports(ROOT / "targets" / target / "entry.py")
    assert "serving" in entry, "what is measured is loaded in another way"


def loaded_at_once(target: str) -> set[Path]:
    """The modules of a target that its entry script loads whatever it is to do, and itself."""
    entry = ROOT / "targets" / target / "entry.py"
    found, ahead = {entry}, [entry]
    while ahead:
        for statement in ast.parse(ahead.pop().read_text()).body:
            if isinstance(statement, ast.ImportFrom) and statement.module:
                beside = [place / f"{statement.module}.py" for place in CODE_FOLDERS[target]]
                new = {path for path in beside if path.is_file()} - found
                found |= new
                ahead += new
    return found


@pytest.mark.parametrize("path", sorted(loaded_at_once("intel-openvino")), ids=shown)
def test_both_releases_of_openvino_can_load_the_target(path: Path) -> None:
    """2023.3 has its operations in another place, and is looked for there, too."""
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.ImportFrom) and statement.module == "openvino":
            names = [alias.name for alias in statement.names]
            assert not [name for name in names if name.startswith("opset")], "not every release has it there"
