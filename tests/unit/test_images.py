"""Images are named, identified and built from committed files; a secret never stands in an argument."""

from __future__ import annotations

import configparser
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard import package_index
from dockyard.engines import docker_cli, endpoint, images
from dockyard.engines.base_image import (
    BASE_LABEL,
    LOCAL_DEBIAN,
    LOCK_LABEL,
    PUBLIC_DEBIAN,
    PYTHON_IMAGE,
    TOOLS_IMAGE,
    base_digest,
)
from dockyard.engines.image_context import build_context
from dockyard.recipe.hashing import file_hash
from dockyard.recipe.targets import load_target
from dockyard.recipe.workspace import PRODUCT, Workspace
from shared.contract.errors import EnvironmentProblem, InputProblem
from tests.builders import change_target

SECRET = "https://user:hunter2@mirror.example/simple"
OPENVINO = ("intel-openvino", "2026.4")


def ignore(line: str) -> None:
    """Take a line and do nothing with it."""


def test_every_target_has_its_images(workspace: Workspace) -> None:
    """Each target has a lock for each of its toolchains, and no image is described for what is no target."""
    assert images.targets(workspace) == workspace.names("targets", "target.json")
    for target in images.targets(workspace):
        assert images.toolchains(workspace, target) == sorted(
            load_target(workspace, target, "test").toolchains
        )
        for toolchain in images.toolchains(workspace, target):
            assert images.lock_file(workspace, target, toolchain).is_file()


def test_tags() -> None:
    """An image is named after target and toolchain; the runtime stage says so."""
    assert images.image_tag(*OPENVINO) == "dockyard/intel-openvino:2026.4"
    assert images.image_tag(*OPENVINO, "runtime") == "dockyard/intel-openvino:2026.4-runtime"


def test_unknown_names(workspace: Workspace) -> None:
    """A target or toolchain without an image is refused with the nearest; the base of all is no target."""
    with pytest.raises(InputProblem, match="did you mean 'intel-openvino'"):
        images.toolchains(workspace, "intel-openvin")
    with pytest.raises(InputProblem, match=r"did you mean '2026\.4'"):
        images.lock_file(workspace, "intel-openvino", "2026.3")
    with pytest.raises(InputProblem, match="no image is described for target 'base'"):
        images.toolchains(workspace, "base")


@pytest.fixture
def own_images(workspace: Workspace) -> Workspace:
    """A workspace with a copy of docker/ that may be changed."""
    shutil.copytree(PRODUCT / "docker", workspace.root / "docker")
    return workspace


@pytest.mark.parametrize("name", ["Dockerfile", "requirements-2026.4.txt", "requirements-2026.4-runtime.txt"])
def test_lock_digest_follows_its_files(own_images: Workspace, name: str) -> None:
    """The digest changes with the Dockerfile and with each lock, and the other targets' stay."""
    before, other = (images.lock_digest(own_images, *pair) for pair in (OPENVINO, ("tensorflow", "2.21")))
    assert images.lock_digest(own_images, *OPENVINO) == before
    append(own_images.root / "docker" / "intel-openvino" / name)
    assert images.lock_digest(own_images, *OPENVINO) != before
    assert images.lock_digest(own_images, "tensorflow", "2.21") == other


@pytest.mark.parametrize("name", ["Dockerfile", "make-base.sh", "install-locked"])
def test_lock_digest_follows_the_base(own_images: Workspace, name: str) -> None:
    """The digest of every target changes with what makes the base."""
    pairs = [OPENVINO, ("tensorflow", "2.21"), ("tvm-llvm", "0.27")]
    before = [images.lock_digest(own_images, *pair) for pair in pairs]
    append(own_images.root / "docker" / "base" / name)
    assert all(images.lock_digest(own_images, *pair) != old for pair, old in zip(pairs, before))


def with_sources(workspace: Workspace, target: str) -> Path:
    """Give a target of the workspace's own an image that compiles sources, and return their folder."""
    folder = workspace.root / "docker" / target
    folder.mkdir(parents=True)
    for name in ("Dockerfile", "requirements-1.txt"):
        (folder / name).write_text("")
    sources = workspace.root / "targets" / "shelf-parsers"
    (sources / "src").mkdir(parents=True)
    (sources / "src" / "parser.cpp").write_text("1")
    (sources / "labels.py").write_text("1")
    change_target(workspace, target, image_sources=["shelf-parsers"])
    return sources


def test_lock_digest_follows_compiled_sources(workspace: Workspace, second_target: str) -> None:
    """The digest changes with the sources that an image compiles, and not with the Python beside them."""
    sources = with_sources(workspace, second_target)
    before = images.lock_digest(workspace, second_target, "1")
    append(sources / "labels.py")
    assert images.lock_digest(workspace, second_target, "1") == before
    append(sources / "src" / "parser.cpp")
    assert images.lock_digest(workspace, second_target, "1") != before


def test_a_build_sees_sources(tmp_path: Path) -> None:
    """A build sees the Dockerfile's folder and, below sources/, each shared folder without its Python; the
    folder is put together for that build alone.
    """
    folder, sources = tmp_path / "docker", tmp_path / "shelf-parsers"
    for path in (folder / "Dockerfile", sources / "src" / "parser.cpp", sources / "labels.py"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    with build_context(folder, {"shelf-parsers": sources}) as context:
        there = {str(path.relative_to(context)) for path in context.rglob("*") if path.is_file()}
        assert there == {"Dockerfile", "sources/shelf-parsers/src/parser.cpp"}
    assert not context.exists()
    with build_context(folder, {}) as context:
        assert context == folder


def append(path: Path) -> None:
    """Change a file."""
    with path.open("a") as file:
        file.write("# changed\n")


def test_an_image_of_ones_own(workspace: Workspace) -> None:
    """A workspace's own target has its image there; the others' are Dockyard's, as is the base."""
    own = workspace.root / "docker" / "shelf-cpu"
    own.mkdir(parents=True)
    for name in ("Dockerfile", "requirements-1.txt"):
        (own / name).write_text("")
    assert {"shelf-cpu", "intel-openvino"} <= set(images.targets(workspace))
    assert images.toolchains(workspace, "shelf-cpu") == ["1"]
    assert images.lock_file(workspace, "shelf-cpu", "1", "runtime") == own / "requirements-1.txt"
    assert images.lock_digest(workspace, *OPENVINO) == images.lock_digest(Workspace(PRODUCT), *OPENVINO)


def test_requirements_are_locked() -> None:
    """Every requirement of every lock is pinned and has a hash; no lock says where packages come from."""
    locks = [*PRODUCT.glob("docker/*/requirements-*.txt"), PRODUCT / "requirements.txt"]
    assert len(locks) > 2
    for lock in locks:
        lines = lock.read_text().replace("\\\n", " ").splitlines()
        entries = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
        assert entries
        for entry in entries:
            assert not entry.startswith("-"), f"{lock.name}: {entry}"
            assert "==" in entry
            assert "--hash=sha256:" in entry


def test_dockerfiles_pull_nothing(workspace: Workspace) -> None:
    """A target's Dockerfile has the two stages, and neither names an image that would have to be pulled."""
    for target in images.targets(workspace):
        lines = (workspace.docker(target) / "Dockerfile").read_text().splitlines()
        stages = [line.split()[1:] for line in lines if line.startswith("FROM ")]
        assert stages[-2:] == [["${BASE}", "AS", "runtime"], ["runtime", "AS", "build"]], target
        assert not lines[0].startswith("# syntax="), target


ini_text = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


ini_names = st.sampled_from(["index-url", "extra-index-url", "trusted-host", "proxy"])


@given(st.dictionaries(ini_names, st.lists(ini_text, min_size=1, max_size=3)))
def test_pip_conf_is_read_back(tmp_path: Path, settings: dict[str, list[str]]) -> None:
    """The settings that a build is lent are read from the file as they were, also with several indexes."""
    file = tmp_path / "pip.conf"
    file.write_text(package_index.pip_conf({name: "\n".join(values) for name, values in settings.items()}))
    environment = {"PIP_CONFIG_FILE": str(file), "HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path)}
    wanted = {name: " ".join(values) for name, values in settings.items()}
    assert package_index.pip_settings(environment).items() >= wanted.items()
    parser = configparser.RawConfigParser()
    parser.read(file)
    assert dict(parser["global"]) == wanted


def surroundings(tmp_path: Path, **more: str) -> dict[str, str]:
    """An environment in which pip reads only the user's own file."""
    return {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path / "none"), **more}


@pytest.fixture
def user_file(tmp_path: Path) -> Path:
    """The user's pip configuration."""
    path = tmp_path / ".config" / "pip" / "pip.conf"
    path.parent.mkdir(parents=True)
    path.write_text(f"[global]\nindex-url = {SECRET}\ntimeout = 7\nquiet = 1\n[install]\ntimeout = 9\n")
    return path


def test_settings_come_as_pip_takes_them(tmp_path: Path, user_file: Path) -> None:
    """The user's file is read, its install section wins, the environment over both; tastes are left out."""
    settings = package_index.pip_settings(surroundings(tmp_path))
    assert settings["index-url"] == SECRET
    assert settings["timeout"] == "9"
    assert "quiet" not in settings
    assert (
        package_index.pip_settings(surroundings(tmp_path, PIP_INDEX_URL="https://other"))["index-url"]
        == "https://other"
    )


def test_settings_can_be_switched_off(tmp_path: Path, user_file: Path) -> None:
    """PIP_CONFIG_FILE at the null device switches every file off, as in pip."""
    assert package_index.pip_settings(surroundings(tmp_path, PIP_CONFIG_FILE=os.devnull)) == {}


@pytest.mark.parametrize(
    "content", [b"no section", b"[global\n", b"\xff\xfe", b"[global]\nproxy=1\nproxy=2\n"]
)
def test_broken_settings_are_pips_matter(tmp_path: Path, user_file: Path, content: bytes) -> None:
    """A configuration that cannot be read is passed over."""
    user_file.unlink()
    without = package_index.pip_settings(surroundings(tmp_path))
    user_file.write_bytes(content)
    assert package_index.pip_settings(surroundings(tmp_path)) == without


def test_uv_follows_pip(tmp_path: Path, user_file: Path) -> None:
    """uv takes packages from where pip would, and what it was told itself wins."""
    bundle = tmp_path / "ca.pem"
    bundle.write_text("certificate")
    environment = package_index.uv_environment(surroundings(tmp_path, PIP_CERT=str(bundle)))
    assert (environment["UV_DEFAULT_INDEX"], environment["SSL_CERT_FILE"]) == (SECRET, str(bundle))
    assert (
        package_index.uv_environment(surroundings(tmp_path, UV_DEFAULT_INDEX="https://own"))[
            "UV_DEFAULT_INDEX"
        ]
        == "https://own"
    )


def test_missing_bundle_is_none(tmp_path: Path) -> None:
    """A certificate file that is not there is not lent."""
    assert package_index.ca_bundle({"PIP_CERT": str(tmp_path / "none.pem")}) is None
    assert package_index.ca_bundle({}) is None


CLIENT = """#!/bin/sh
printf '%s\\n' "$@" END >>"$LOG"
case "$*" in
*"build --help"*) echo "--secret stringArray" ;;
*"image inspect"*) cat "$LOG.images"; exit 1 ;;
*Server.Arch*) echo "${FAKE_ARCH:-amd64}" ;;
*version*) echo 1 ;;
"pull "*)
    if [ ! -e "$LOG.registry" ]; then echo "no route to host"; exit 1; fi
    cp "$LOG.registry" "$LOG.images" ;;
*"context show"*) echo default ;;
*"context ls"*) echo default; echo jetson ;;
*"context inspect"*) cat "$LOG.context" ;;
*build*)
    for argument; do
        case "$argument" in id=pip_conf,src=*)
            cp "${argument#id=pip_conf,src=}" "$LOG.conf"
            stat -c %a "${argument#id=pip_conf,src=}" >"$LOG.mode" ;;
        esac
        if [ "$previous" = --iidfile ]; then echo sha256:made >"$argument"; fi
        previous=$argument
    done
    echo "#5 ERROR: process failed"
    exit "${FAKE_CODE:-0}" ;;
esac
"""


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A docker command that writes down its arguments and answers; yields the file of arguments."""
    folder, log = tmp_path / "bin", tmp_path / "arguments"
    folder.mkdir()
    (folder / "docker").write_text(CLIENT)
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.defpath}")
    monkeypatch.setenv("LOG", str(log))
    monkeypatch.setenv("PIP_INDEX_URL", SECRET)
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hunter2@proxy.example")
    docker_cli.build_client.cache_clear()
    yield log
    docker_cli.build_client.cache_clear()


Labels = Mapping[str, str]


@pytest.fixture
def engine(client: Path, workspace: Workspace) -> Callable[[Mapping[str, Labels]], None]:
    """Give the fake engine its images: the base as it should be, and others by tag with their labels."""

    def give(others: Mapping[str, Labels]) -> None:
        script = workspace.docker("base") / "make-base.sh"
        labels = {LOCK_LABEL: base_digest(workspace), BASE_LABEL: f"sha256:{LOCAL_DEBIAN}"}
        debian = {LOCK_LABEL: file_hash(script)}
        here = {LOCAL_DEBIAN: debian, PYTHON_IMAGE: labels, TOOLS_IMAGE: labels, **others}
        Path(f"{client}.images").write_text(inspected(here))

    give({})
    return give


def inspected(images: Mapping[str, Labels]) -> str:
    """Return what docker says of images, by tag with their labels."""
    entries = [
        {"Id": f"sha256:{tag}", "RepoTags": [tag], "Config": {"Labels": its}} for tag, its in images.items()
    ]
    return json.dumps(entries)


Engine = Callable[[Mapping[str, Labels]], None]


def calls(client: Path) -> list[list[str]]:
    """Return the arguments of each call of the fake docker command."""
    return [call.splitlines() for call in client.read_text().removesuffix("END\n").split("END\n")]


def built(client: Path) -> list[str]:
    """Return the tags of the images that were built."""
    commands = [call for call in calls(client) if "--tag" in call]
    return [command[command.index("--tag") + 1] for command in commands]


def test_secret_is_lent_and_never_told(client: Path, engine: Engine, workspace: Workspace) -> None:
    """A mirror's password reaches the build as a secret file that only the user reads, and no argument."""
    lines: list[str] = []
    assert images.build_image(workspace, *OPENVINO, on_line=lines.append) == "sha256:made"
    arguments = client.read_text()
    assert "hunter2" not in arguments + "".join(lines)
    assert "HTTPS_PROXY" in arguments
    assert SECRET in Path(f"{client}.conf").read_text()
    assert Path(f"{client}.mode").read_text().strip() == "600"


def test_build_names_what_it_builds(client: Path, engine: Engine, workspace: Workspace) -> None:
    """A build is given stage, tag, toolchain and base, and its image says what it was made from."""
    images.build_image(workspace, *OPENVINO, stage="runtime", on_line=ignore)
    arguments = client.read_text().splitlines()
    for wanted in (
        "runtime",
        "dockyard/intel-openvino:2026.4-runtime",
        "TOOLCHAIN=2026.4",
        f"BASE={PYTHON_IMAGE}",
    ):
        assert wanted in arguments
    assert f"{LOCK_LABEL}={images.lock_digest(workspace, *OPENVINO)}" in arguments
    assert f"{BASE_LABEL}=sha256:{PYTHON_IMAGE}" in arguments


def test_build_that_fails(
    client: Path, engine: Engine, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build that fails is a problem of the environment, with the line that says why."""
    monkeypatch.setenv("FAKE_CODE", "1")
    with pytest.raises(EnvironmentProblem, match="process failed") as caught:
        images.build_image(workspace, *OPENVINO, on_line=ignore)
    assert caught.value.where == "docker/intel-openvino/Dockerfile"


def test_the_base_is_built_once(client: Path, engine: Engine, workspace: Workspace) -> None:
    """Where the engine has the base of today's files a target's build makes that target's image alone."""
    images.build_image(workspace, *OPENVINO, on_line=ignore)
    assert built(client) == ["dockyard/intel-openvino:2026.4"]


@pytest.mark.parametrize(
    ("tag", "labels"),
    [
        (PYTHON_IMAGE, {LOCK_LABEL: "0" * 64}),
        (TOOLS_IMAGE, {}),
        (PYTHON_IMAGE, None),
    ],
    ids=["other files", "no label", "other Debian"],
)
def test_a_base_of_other_files_is_built_anew(
    client: Path, engine: Engine, workspace: Workspace, tag: str, labels: Labels | None
) -> None:
    """A base of other files than today's, or on another Debian than the engine has, is made first."""
    engine({tag: labels or {LOCK_LABEL: base_digest(workspace), BASE_LABEL: "sha256:another"}})
    images.build_image(workspace, *OPENVINO, on_line=ignore)
    assert built(client) == [PYTHON_IMAGE, TOOLS_IMAGE, "dockyard/intel-openvino:2026.4"]
    assert f"BASE={LOCAL_DEBIAN}" in client.read_text().splitlines()


def test_a_debian_of_another_script_is_not_taken(client: Path, engine: Engine, workspace: Workspace) -> None:
    """A Debian that another make-base.sh made is passed over: the public one is built on."""
    engine({LOCAL_DEBIAN: {LOCK_LABEL: "0" * 64}, PUBLIC_DEBIAN: {}})
    images.build_image(workspace, *OPENVINO, on_line=ignore)
    assert f"BASE={PUBLIC_DEBIAN}" in client.read_text().splitlines()


def test_current_image_is_of_todays_files(engine: Engine, workspace: Workspace) -> None:
    """An image counts as current only when it was made from today's files on the base that the engine has."""
    tag, lock = images.image_tag(*OPENVINO), images.lock_digest(workspace, *OPENVINO)
    base = f"sha256:{PYTHON_IMAGE}"
    engine({tag: {LOCK_LABEL: lock, BASE_LABEL: base}})
    assert images.current_image(workspace, *OPENVINO) == f"sha256:{tag}"
    for labels in (
        {LOCK_LABEL: "0" * 64, BASE_LABEL: base},
        {LOCK_LABEL: lock, BASE_LABEL: "sha256:another"},
    ):
        engine({tag: labels})
        assert images.current_image(workspace, *OPENVINO) is None
    engine({})
    assert images.current_image(workspace, *OPENVINO) is None


def test_an_image_without_its_base(client: Path, engine: Engine, workspace: Workspace) -> None:
    """An image that was loaded onto an engine which has no base counts by its files alone."""
    tag, lock = images.image_tag(*OPENVINO), images.lock_digest(workspace, *OPENVINO)
    entry = {
        "Id": "sha256:1",
        "RepoTags": [tag],
        "Config": {"Labels": {LOCK_LABEL: lock, BASE_LABEL: "sha256:2"}},
    }
    Path(f"{client}.images").write_text(json.dumps([entry]))
    assert images.current_image(workspace, *OPENVINO) == "sha256:1"


VENDORS = "registry.example/vendor/tools:1.2-devel"
ON_VENDORS = ("shelf-gpu", "1")


@pytest.fixture
def on_vendors(workspace: Workspace) -> Workspace:
    """A workspace with a target, for another kind of machine, whose image is made on the vendor's."""
    folder = workspace.root / "docker" / "shelf-gpu"
    folder.mkdir(parents=True)
    for name in ("Dockerfile", "requirements-1.txt"):
        (folder / name).write_text("")
    describe(workspace, VENDORS)
    return workspace


def describe(workspace: Workspace, base: str, **more: str) -> None:
    """Write the target.json of a target whose image is made on another."""
    platform = {"architecture": "aarch64", "base": base, **more}
    toolchains = {"1": {"platform": platform}}
    folder = workspace.root / "targets" / "shelf-gpu"
    folder.mkdir(parents=True, exist_ok=True)
    document = {"description": "", "toolchains": toolchains, "sources": ["ONNX"], "methods": {}}
    (folder / "target.json").write_text(json.dumps(document))


@pytest.fixture
def device(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Make the fake engine one of a device with an ARM."""
    monkeypatch.setenv("FAKE_ARCH", "arm64")
    return engine


def test_a_vendors_base_that_is_there(client: Path, device: Engine, on_vendors: Workspace) -> None:
    """An image is made on the vendor's, which is not pulled where the engine has it, and says on which."""
    device({VENDORS: {}})
    images.build_image(on_vendors, *ON_VENDORS, on_line=ignore)
    arguments = client.read_text().splitlines()
    assert f"BASE={VENDORS}" in arguments
    assert f"TOOLS={TOOLS_IMAGE}" in arguments
    assert f"{BASE_LABEL}=sha256:{VENDORS}" in arguments
    assert "pull" not in arguments


def test_a_vendors_image_with_compilers(client: Path, device: Engine, on_vendors: Workspace) -> None:
    """Where a toolchain names the vendor's image with compilers it is pulled, and the build is told of it;
    another one makes another image.
    """
    lock, devel = images.lock_digest(on_vendors, *ON_VENDORS), "registry.example/vendor/devel:1.2"
    describe(on_vendors, VENDORS, devel=devel)
    assert images.lock_digest(on_vendors, *ON_VENDORS) != lock
    device({VENDORS: {}})
    here = json.loads(Path(f"{client}.images").read_text())
    Path(f"{client}.registry").write_text(json.dumps(here + json.loads(inspected({devel: {}}))))
    images.build_image(on_vendors, *ON_VENDORS, on_line=ignore)
    assert ["pull", devel] in calls(client)
    assert f"DEVEL={devel}" in client.read_text().splitlines()


def test_a_vendors_base_is_pulled(client: Path, device: Engine, on_vendors: Workspace) -> None:
    """A vendor's base that the engine does not have is pulled there before it is built on."""
    here = json.loads(Path(f"{client}.images").read_text())
    pulled = json.loads(inspected({VENDORS: {}}))
    Path(f"{client}.registry").write_text(json.dumps(here + pulled))
    images.build_image(on_vendors, *ON_VENDORS, on_line=ignore)
    assert ["pull", VENDORS] in calls(client)
    assert f"{BASE_LABEL}=sha256:{VENDORS}" in client.read_text().splitlines()


def test_a_vendors_base_out_of_reach(client: Path, device: Engine, on_vendors: Workspace) -> None:
    """Without a registry and the vendor's base nothing is built, and one line says how it gets there."""
    with pytest.raises(EnvironmentProblem, match=r"cannot be pulled \(no route to host\)") as caught:
        images.build_image(on_vendors, *ON_VENDORS, on_line=ignore)
    assert f"docker pull --platform linux/arm64 {VENDORS}" in caught.value.advice
    assert f"docker save {VENDORS} | ssh DEVICE docker load" in caught.value.advice
    assert built(client) == []


def test_an_engine_of_another_architecture(client: Path, engine: Engine, on_vendors: Workspace) -> None:
    """What is for another architecture than the engine's is not built, and nothing is pulled for it."""
    reason = "shelf-gpu 1 needs aarch64, and the engine is amd64"
    assert images.why_not_there(on_vendors, *ON_VENDORS) == reason
    assert images.why_not_there(on_vendors, *OPENVINO) == ""
    with pytest.raises(EnvironmentProblem, match=reason):
        images.build_image(on_vendors, *ON_VENDORS, on_line=ignore)
    assert not {"pull", "build"} & {word for call in calls(client) for word in call}


def test_an_image_is_of_the_vendors_base_that_is_there(device: Engine, on_vendors: Workspace) -> None:
    """An image is current while target.json names the base it was made on and the engine has no other."""
    tag, lock = images.image_tag(*ON_VENDORS), images.lock_digest(on_vendors, *ON_VENDORS)
    labels = {LOCK_LABEL: lock, BASE_LABEL: f"sha256:{VENDORS}"}
    for there in ({VENDORS: {}}, {}):
        device({tag: labels, **there})
        assert images.current_image(on_vendors, *ON_VENDORS) == f"sha256:{tag}"
    device({tag: {**labels, BASE_LABEL: f"sha256:{PYTHON_IMAGE}"}, VENDORS: {}})
    assert images.current_image(on_vendors, *ON_VENDORS) is None
    device({tag: labels, VENDORS: {}})
    describe(on_vendors, "registry.example/vendor/tools:1.3-devel")
    assert images.lock_digest(on_vendors, *ON_VENDORS) != lock
    assert images.current_image(on_vendors, *ON_VENDORS) is None


def test_jetsons_have_nvidias_bases(workspace: Workspace) -> None:
    """The image of each release of TensorRT for Jetsons is made on one of NVIDIA's, each on another."""
    toolchains = load_target(workspace, "l4t-tensorrt", "test").toolchains
    bases = {images.base_tag(workspace, "l4t-tensorrt", toolchain) for toolchain in toolchains}
    assert len(bases) == len(toolchains)
    assert all(base.startswith("nvcr.io/nvidia/") for base in bases)


@pytest.mark.parametrize("base", ["vendor/tools", "--help:1", "vendor/tools:", "a b:1", "vendor@sha256:0:1"])
def test_a_base_is_named_with_its_tag(workspace: Workspace, base: str) -> None:
    """A base without a tag, or that docker would read as something else, is refused where it is written."""
    describe(workspace, base)
    with pytest.raises(InputProblem, match="base"):
        load_target(workspace, "shelf-gpu", "test")


def test_context_goes_with_every_call(client: Path, engine: Engine, workspace: Workspace) -> None:
    """A context that was named is given to each docker command."""
    images.current_image(workspace, *OPENVINO, address=docker_cli.EngineAddress("jetson"))
    assert [call[:2] for call in calls(client)] == [["--context", "jetson"]]
    images.build_image(workspace, *OPENVINO, address=docker_cli.EngineAddress("jetson"), on_line=ignore)
    without = [call for call in calls(client) if call[:2] != ["--context", "jetson"]]
    assert without in ([], [["build", "--help"]])


@pytest.mark.parametrize(
    ("described", "tls_files", "wanted"),
    [
        (
            {"Host": "ssh://me@jetson", "SkipTLSVerify": False},
            {},
            endpoint.Endpoint("jetson", "ssh://me@jetson"),
        ),
        (
            {"Host": "tcp://jetson:2376", "SkipTLSVerify": True},
            {"docker": ["ca.pem", "cert.pem", "key.pem"]},
            endpoint.Endpoint(
                "jetson", "tcp://jetson:2376", Path("/contexts/tls/1/docker"), is_verified=False
            ),
        ),
    ],
    ids=["ssh", "TLS"],
)
def test_a_context_leads_somewhere(
    client: Path, described: dict[str, object], tls_files: dict[str, list[str]], wanted: endpoint.Endpoint
) -> None:
    """A context's engine, and the certificates for it, are those that docker says."""
    context = {
        "Name": "jetson",
        "Endpoints": {"docker": described},
        "TLSMaterial": tls_files,
        "Storage": {"TLSPath": "/contexts/tls/1"},
    }
    Path(f"{client}.context").write_text(json.dumps([context]))
    assert endpoint.resolve("jetson") == wanted


def test_a_context_that_is_not_there(client: Path) -> None:
    """A context that docker does not know is refused with the nearest."""
    with pytest.raises(EnvironmentProblem, match="did you mean 'jetson'") as caught:
        endpoint.resolve("jetsan")
    assert caught.value.where == "--context"
