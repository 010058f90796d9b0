"""Images are named, identified and built from files that are committed; a secret never stands in an argument."""

from __future__ import annotations

import configparser
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard import package_index as mirror
from dockyard.engines import images
from dockyard.recipe.catalog import load_target, names
from dockyard.recipe.places import TARGETS
from shared.contract.errors import EnvironmentProblem, InputProblem

SECRET = "https://user:hunter2@mirror.example/simple"


def test_every_target_has_its_images() -> None:
    """Each target has a lock for each of its toolchains, and no image is described for what is no target."""
    assert images.targets() == names(TARGETS, "target.json")
    for target in images.targets():
        assert images.toolchains(target) == sorted(load_target(target, "test").toolchains)
        for toolchain in images.toolchains(target):
            assert images.lock_file(target, toolchain).is_file()


def test_tags() -> None:
    """An image is named after target and toolchain; the runtime stage says so."""
    assert images.image_tag("intel-openvino", "2026.4") == "dockyard/intel-openvino:2026.4"
    assert images.image_tag("intel-openvino", "2026.4", "runtime") == "dockyard/intel-openvino:2026.4-runtime"


def test_unknown_names() -> None:
    """A target or toolchain without an image is refused with the nearest."""
    with pytest.raises(InputProblem, match="did you mean 'intel-openvino'"):
        images.toolchains("intel-openvin")
    with pytest.raises(InputProblem, match=r"did you mean '2026\.4'"):
        images.lock_file("intel-openvino", "2026.3")


@pytest.fixture
def docker_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of docker/ that may be changed."""
    shutil.copytree(images.DOCKER_FOLDER, tmp_path / "docker")
    monkeypatch.setattr(images, "DOCKER_FOLDER", tmp_path / "docker")
    return tmp_path / "docker"


@pytest.mark.parametrize("name", ["Dockerfile", "requirements-2026.4.txt", "requirements-2026.4-runtime.txt"])
def test_lock_digest_follows_its_files(docker_folder: Path, name: str) -> None:
    """The digest changes with the Dockerfile and with each lock, and the other targets' stay."""
    before, other = images.lock_digest("intel-openvino", "2026.4"), images.lock_digest("tensorflow", "2.21")
    assert images.lock_digest("intel-openvino", "2026.4") == before
    with (docker_folder / "intel-openvino" / name).open("a") as file:
        file.write("# changed\n")
    assert images.lock_digest("intel-openvino", "2026.4") != before
    assert images.lock_digest("tensorflow", "2.21") == other


def test_requirements_are_locked() -> None:
    """Every requirement of every lock is pinned and has a hash, and no lock says where packages come from."""
    locks = [*images.DOCKER_FOLDER.glob("*/requirements-*.txt"), images.DOCKER_FOLDER.parent / "requirements.txt"]
    assert len(locks) > 2
    for lock in locks:
        text = lock.read_text()
        entries = [e for e in text.replace("\\\n", " ").splitlines() if e.strip() and not e.lstrip().startswith("#")]
        assert entries
        for entry in entries:
            assert not entry.startswith("-"), f"{lock.name}: {entry}"
            assert "==" in entry
            assert "--hash=sha256:" in entry


ini_text = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


@given(
    st.dictionaries(st.sampled_from(["index-url", "extra-index-url", "trusted-host", "proxy"]), st.lists(ini_text, min_size=1, max_size=3))
)
def test_pip_conf_is_read_back(tmp_path: Path, settings: dict[str, list[str]]) -> None:
    """The settings that are lent to a build are read from the file as they were, also with several indexes."""
    file = tmp_path / "pip.conf"
    file.write_text(mirror.pip_conf({k: "\n".join(v) for k, v in settings.items()}))
    assert (
        mirror.pip_settings({"PIP_CONFIG_FILE": str(file), "HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path)}).items()
        >= {k: " ".join(v) for k, v in settings.items()}.items()
    )
    parser = configparser.RawConfigParser()
    parser.read(file)
    assert dict(parser["global"]) == {k: " ".join(v) for k, v in settings.items()}


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
    """The user's file is read, its install section wins, the environment wins over both; tastes are left out."""
    settings = mirror.pip_settings(surroundings(tmp_path))
    assert settings["index-url"] == SECRET
    assert settings["timeout"] == "9"
    assert "quiet" not in settings
    assert mirror.pip_settings(surroundings(tmp_path, PIP_INDEX_URL="https://other"))["index-url"] == "https://other"


def test_settings_can_be_switched_off(tmp_path: Path, user_file: Path) -> None:
    """PIP_CONFIG_FILE at the null device switches every file off, as in pip."""
    assert mirror.pip_settings(surroundings(tmp_path, PIP_CONFIG_FILE=os.devnull)) == {}


@pytest.mark.parametrize("content", [b"no section", b"[global\n", b"\xff\xfe", b"[global]\nproxy=1\nproxy=2\n"])
def test_broken_settings_are_pips_matter(tmp_path: Path, user_file: Path, content: bytes) -> None:
    """A configuration that cannot be read is passed over."""
    user_file.unlink()
    without = mirror.pip_settings(surroundings(tmp_path))
    user_file.write_bytes(content)
    assert mirror.pip_settings(surroundings(tmp_path)) == without


def test_uv_follows_pip(tmp_path: Path, user_file: Path) -> None:
    """uv takes packages from where pip would, and what it was told itself wins."""
    bundle = tmp_path / "ca.pem"
    bundle.write_text("certificate")
    environment = mirror.uv_environment(surroundings(tmp_path, PIP_CERT=str(bundle)))
    assert (environment["UV_DEFAULT_INDEX"], environment["SSL_CERT_FILE"]) == (SECRET, str(bundle))
    assert mirror.uv_environment(surroundings(tmp_path, UV_DEFAULT_INDEX="https://own"))["UV_DEFAULT_INDEX"] == "https://own"


def test_missing_bundle_is_none(tmp_path: Path) -> None:
    """A certificate file that is not there is not lent."""
    assert mirror.ca_bundle({"PIP_CERT": str(tmp_path / "none.pem")}) is None
    assert mirror.ca_bundle({}) is None


CLIENT = """#!/bin/sh
printf '%s\\n' "$@" END >>"$LOG"
case "$*" in
*"build --help"*) echo "--secret stringArray" ;;
*"image inspect"*"{{.Id}}"*) echo sha256:base ;;
*"image inspect"*) echo "\\"sha256:1\\" \\"$FAKE_LABEL\\"" ;;
*version*) echo 1 ;;
*"context show"*) echo default ;;
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
    images.build_client.cache_clear()
    yield log
    images.build_client.cache_clear()


def test_secret_is_lent_and_never_told(client: Path) -> None:
    """A mirror's password reaches the build as a secret file that only the user can read, and in no argument or line."""
    lines: list[str] = []
    assert images.build_image("intel-openvino", "2026.4", on_line=lines.append) == "sha256:made"
    arguments = client.read_text()
    assert "hunter2" not in arguments + "".join(lines)
    assert "HTTPS_PROXY" in arguments
    assert SECRET in Path(f"{client}.conf").read_text()
    assert Path(f"{client}.mode").read_text().strip() == "600"


def test_build_names_what_it_builds(client: Path) -> None:
    """A build is told stage, tag, toolchain and the lock's digest."""
    images.build_image("intel-openvino", "2026.4", stage="runtime", on_line=lambda line: None)
    arguments = client.read_text().splitlines()
    for wanted in ("runtime", "dockyard/intel-openvino:2026.4-runtime", "TOOLCHAIN=2026.4"):
        assert wanted in arguments
    assert f"LOCK={images.lock_digest('intel-openvino', '2026.4')}" in arguments


def test_build_that_fails(client: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that fails is a problem of the environment, with the line that says why."""
    monkeypatch.setenv("FAKE_CODE", "1")
    with pytest.raises(EnvironmentProblem, match="process failed") as caught:
        images.build_image("intel-openvino", "2026.4", on_line=lambda line: None)
    assert caught.value.where == "docker/intel-openvino/Dockerfile"


def test_current_image_is_of_todays_files(client: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image counts as current only when its label is the digest of today's files."""
    monkeypatch.setenv("FAKE_LABEL", images.lock_digest("intel-openvino", "2026.4"))
    assert images.current_image("intel-openvino", "2026.4") == "sha256:1"
    monkeypatch.setenv("FAKE_LABEL", "0" * 64)
    assert images.current_image("intel-openvino", "2026.4") is None


def test_context_goes_with_every_call(client: Path) -> None:
    """A context that was named is given to each docker command."""
    images.current_image("intel-openvino", "2026.4", context="jetson")
    calls = [c.split("\n") for c in client.read_text().removesuffix("END\n").split("END\n")]
    assert [call[:2] for call in calls] == [["--context", "jetson"]] * len(calls)
    assert len(calls) == 1
