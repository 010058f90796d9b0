"""The first start on a device: what runs there is built of what was delivered, kept, held against the golden
images, and from then on taken from where it is kept.

<cache>/<network>-<key>/      what was built; its `made.json` says of what, for what, and the files' hashes
<cache>/agreed-<key>          that these very files read the golden images as expected
<cache>/lock                  held while something is built

A folder gets its name when it is whole: cut off at any moment, it is built anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any, Callable, Dict, Iterator, List, Mapping, Tuple

from shared.contract.artifact import MANIFEST_FILE
from shared.contract.codec import encode
from shared.contract.errors import EnvironmentProblem, JobFailed
from shared.contract.stages import NetworkFiles
from shared.inference.artifacts import describe_artifact
from shared.inference.loaded_stream import manifest_of
from shared.inference.loading import DeviceBuilder
from shared.inference.session import Unsupported
from shared.serving.delivered import Delivered
from shared.serving.golden import read_golden, read_keeping
from shared.serving.golden_differences import differences

CACHE = Path("/var/cache/dockyard")
"""Where a container has the volume."""

MADE_FILE = "made.json"
AGREED, MAKING = "agreed-", ".making-"

WARM_S = 20.0
"""Seconds that a start which builds nothing may take up to here; longer is told."""

Say = Callable[[str], None]


def built_here(delivered: Delivered, cache: Path, say: Say) -> Delivered:
    """Return a delivery with what was built of it on this device; as it is where nothing has to be.

    What was built before is taken where its files are whole and it is for this very device and release.

    Args:
        say: is told what goes on: the first start takes minutes.

    Raises:
        EnvironmentProblem: the device is none that it is for, or nothing can be kept.
        JobFailed: it cannot be built, or does not read the golden images as expected: it is not to be used.
    """
    builder, delivery = delivered.loaders.device_builder, delivered.delivery
    if builder is None:
        return delivered
    began = monotonic()
    try:
        shelf = Shelf(delivered, builder, builder.identify(delivery.toolchain), cache, say)
        ready = shelf.as_built()
        is_warm = not shelf.missing() and _agreed_file(ready, cache).exists()
        if not is_warm:  # else nobody is waited for: another version may be building for minutes
            with _locked(cache):
                shelf.build_missing()
                _hold_against_golden(ready, cache, say)
    except Unsupported as error:
        raise delivered.does_not_fit(str(error)) from None
    except OSError as error:
        what = f"what is built here cannot be kept in {cache} ({error.strerror})"
        raise EnvironmentProblem(what, "", f"start it with --volume NAME:{cache}, and make room") from None
    seconds = monotonic() - began
    say(f"{'taken from the cache' if is_warm else 'built'}, ready to load after {seconds:.1f} s")
    if is_warm and seconds > WARM_S:
        say(f"that is more than the {WARM_S:g} s that it should take: is the disk slow, the machine busy?")
    return ready


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    """Hold what others who would build have to wait for; what a killed one has left goes."""
    with (cache / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for left in cache.glob(f"{MAKING}*"):
            shutil.rmtree(left)
        yield


@dataclass(frozen=True)
class Shelf:
    """What is built for this device, and where it is kept.

    Attributes:
        device: what has to be the same for it to run.
    """

    delivered: Delivered
    builder: DeviceBuilder
    device: Mapping[str, str]
    cache: Path
    say: Say

    def as_built(self) -> Delivered:
        """Return the delivery with each network in the folder of what is built of it, there or not."""
        delivery = self.delivered.delivery
        networks = tuple(replace(files, folder=str(self._folder(files))) for files in delivery.networks)
        return replace(self.delivered, delivery=replace(delivery, networks=networks))

    def missing(self) -> Dict[str, str]:
        """Return why what is kept cannot be used, by network; those that can be are left out."""
        delivery = self.delivered.delivery
        found = {files.network.name: self._why_not_usable(files) for files in delivery.networks}
        return {name: reason for name, reason in found.items() if reason}

    def build_missing(self) -> None:
        """Build what cannot be used.

        Raises:
            JobFailed: it cannot be built.
        """
        missing = self.missing()
        for files in self.delivered.delivery.networks:
            name = files.network.name
            if name in missing:
                if self._folder(files).exists():
                    self.say(f"{name}: {missing[name]}: it is built anew")
                self._build(files)

    def _wanted(self, files: NetworkFiles) -> Dict[str, Any]:
        """Return what an engine is of and for.

        What the delivery is of does not matter: the same graph in a newer one needs no other engine.
        """
        delivery = self.delivered.delivery
        graph = describe_artifact(self.delivered.folder / files.folder).sha256
        options = delivery.building.get(files.network.name, {})
        return {"graph": graph, "toolchain": delivery.toolchain, "options": options, **self.device}

    def _folder(self, files: NetworkFiles) -> Path:
        return self.cache / f"{files.network.name}-{_digest(self._wanted(files))}"

    def _why_not_usable(self, files: NetworkFiles) -> str:
        """Return why what is kept cannot be used; empty where it can."""
        folder = self._folder(files)
        try:
            made = json.loads((folder / MADE_FILE).read_text(encoding="utf-8"))
            if made["of"] != self._wanted(files) or made["files"] != _files_of(folder):
                return "what is kept is damaged"
            self.builder.check(folder, manifest_of(replace(files, folder=str(folder)), folder))
        except (OSError, ValueError, KeyError, TypeError):
            return "what is kept is damaged"
        except Unsupported as error:
            return str(error)
        return ""

    def _build(self, files: NetworkFiles) -> None:
        """Build into a folder that gets its name when it is whole."""
        delivered, name, wanted = self.delivered, files.network.name, self._wanted(files)
        self.say(f"{name}: building for {', '.join(self.device.values())}; this takes minutes, once")
        making = Path(tempfile.mkdtemp(prefix=MAKING, dir=self.cache))
        source, began = delivered.folder / files.folder, monotonic()
        try:
            manifest = manifest_of(files, delivered.folder)
            with redirect_stdout(sys.stderr):  # standard output is for what is read
                made = self.builder.build(files.network, source, manifest, wanted["options"], making)
        except ValueError as error:
            raise JobFailed(f"it cannot be built here: {error}", name, "ask for another variant") from None
        own = replace(made, target=delivered.delivery.target, toolchain=delivered.delivery.toolchain)
        (making / MANIFEST_FILE).write_text(json.dumps(encode(own)), encoding="utf-8")
        told = {"of": wanted, "files": _files_of(making)}
        (making / MADE_FILE).write_text(json.dumps(told), encoding="utf-8")
        _keep(making, self._folder(files))
        self.say(f"{name}: built in {monotonic() - began:.1f} s")


def _files_of(folder: Path) -> Dict[str, str]:
    """Return the SHA-256 of each file of what was built."""
    return {one.path: one.sha256 for one in describe_artifact(folder).files if one.path != MADE_FILE}


def _digest(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]


def _keep(making: Path, folder: Path) -> None:
    """Give a folder its name, with all of it on the disk: the power may fail at any moment."""
    for path in (*making.iterdir(), making):
        _sync(path)
    shutil.rmtree(folder, ignore_errors=True)
    making.rename(folder)
    _sync(folder.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _agreed_file(ready: Delivered, cache: Path) -> Path:
    """Return the file that is there where what was built has read these very golden images as expected."""
    built = [_files_of(Path(files.folder)) for files in ready.delivery.networks]
    golden = read_golden(ready.folder / ready.delivery.golden)
    return cache / f"{AGREED}{_digest([built, encode(golden)])}"


def _hold_against_golden(ready: Delivered, cache: Path, say: Say) -> None:
    """Read the golden images with what was built, unless these very files have read them before.

    Raises:
        JobFailed: they are not read as expected, or it cannot be loaded.
    """
    agreed = _agreed_file(ready, cache)
    if agreed.exists():
        return
    found, count = _differing(ready, ready.folder / ready.delivery.golden)
    if found:
        wrong = len({one.partition(":")[0] for one in found})
        what = f"what was built here reads {wrong} of {count} golden images in another way: {found[0]}"
        raise JobFailed(what, ready.delivery.recipe, "it is not used; ask for another variant")
    agreed.touch()
    _sync(cache)
    say(f"{count} golden images are read as expected")


def _differing(delivered: Delivered, folder: Path) -> Tuple[List[str], int]:
    """Return what differs, and the number of golden images."""
    golden = read_golden(folder)
    try:
        nodes = delivered.load()[0]
    except (RuntimeError, ValueError) as error:  # the vendor's own, by which it does not load what it built
        what = f"what was built here cannot be loaded: {error}"
        raise JobFailed(what, delivered.delivery.recipe, "it is not used; ask for another variant") from None
    found: List[str] = []
    for one in golden.images:
        reading, outputs = read_keeping(nodes, (folder / one.file).read_bytes(), one.file)
        found += differences(one, reading.found, outputs, delivered.delivery.tolerance)
    return found, len(golden.images)
