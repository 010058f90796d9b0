"""A delivery's receipt and sums: what was made is accepted, any other byte is not."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dockyard.deliver.bundle import (
    ARCHIVE,
    EVIDENCE,
    LAYERS,
    PART_BYTES,
    RECEIPT,
    SITE,
    SUMS,
    archive_size,
    new_folder,
    split_archive,
    write_sums,
)
from dockyard.deliver.changes import changes
from dockyard.deliver.contents import BILL
from dockyard.deliver.receipt import public_pem, read_receipt, why_not_signed_by, write_receipt
from dockyard.deliver.verify import verify
from shared.contract.errors import EnvironmentProblem, InputProblem, JobFailed

Break = Callable[[Path], object]


def new_key(path: Path) -> Path:
    """Write a private key, and beside it its public half."""
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    private = Ed25519PrivateKey.generate()
    path.write_bytes(private.private_bytes(encoding, form, serialization.NoEncryption()))
    path.with_suffix(".pub").write_bytes(public_pem(path))
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return new_key(tmp_path / "key.pem")


@pytest.fixture
def delivery(tmp_path: Path, key: Path) -> Path:
    """A delivery's folder, signed, its image some bytes."""
    folder = tmp_path / "dist"
    (folder / "evidence").mkdir(parents=True)
    (folder / "image.tar.zst.000").write_bytes(b"an image")
    (folder / "evidence" / "record.json").write_text("{}\n")
    for name in ("copy.sh", "verify.sh"):
        shutil.copyfile(SITE / name, folder / name)
    subjects = {SUMS: write_sums(folder), "image": "0" * 64}
    (folder / RECEIPT).write_text(write_receipt(subjects, {"recipe": "lp"}, key))
    return folder


def by_shell(folder: Path, key: Path | None) -> subprocess.CompletedProcess[str]:
    """Verify a delivery as a client does, who has a shell alone."""
    named = ["--key", str(key)] if key else []
    return subprocess.run(
        ["sh", str(folder / "verify.sh"), *named], capture_output=True, text=True, check=False
    )


def test_what_was_made_is_accepted(delivery: Path, key: Path) -> None:
    """By Dockyard and by the client's shell, with the key and without."""
    public = key.with_suffix(".pub")
    assert verify(delivery, public).predicate == {"recipe": "lp"}
    assert verify(delivery, None).subjects["image"] == "0" * 64
    told = by_shell(delivery, public)
    assert told.returncode == 0, told.stderr
    assert "signed by" in told.stdout
    assert by_shell(delivery, None).returncode == 0


def _with(name: str, change: Callable[[str], str]) -> Break:
    def broken(folder: Path) -> object:
        file = folder / name
        return file.write_text(change(file.read_text()))

    return broken


def _resum(folder: Path) -> None:
    """Change a file and the sums with it, as a forger would."""
    (folder / "image.tar.zst.000").write_bytes(b"another one")
    write_sums(folder)


def _forge(folder: Path) -> None:
    """Change a file, the sums and the receipt, and sign with a key of one's own."""
    (folder / "image.tar.zst.000").write_bytes(b"another one")
    forger = new_key(folder.parent / "forger.pem")
    subjects = {SUMS: write_sums(folder), "image": "0" * 64}
    (folder / RECEIPT).write_text(write_receipt(subjects, {"recipe": "lp"}, forger))


def _swap_signature(folder: Path) -> None:
    """Put a good signature of something else in the place of the receipt's."""
    other = write_receipt({"x": "1" * 64}, {}, folder.parent / "key.pem")
    envelope = json.loads((folder / RECEIPT).read_text())
    envelope["signatures"] = json.loads(other)["signatures"]
    (folder / RECEIPT).write_text(json.dumps(envelope, indent=2))


BREAKS: dict[str, Break] = {
    "a byte of the image": lambda folder: (folder / "image.tar.zst.000").write_bytes(b"an imagf"),
    "a byte of the evidence": _with("evidence/record.json", lambda text: text.replace("{", "[")),
    "a file that is missing": lambda folder: (folder / "evidence" / "record.json").unlink(),
    "a file that was added": lambda folder: (folder / "evidence" / "more.json").write_text("{}"),
    "a link": lambda folder: (folder / "link").symlink_to("/etc/passwd"),
    "a sum": _with(SUMS, lambda text: text.replace("a", "b", 1)),
    "the sums with the file": _resum,
    "the receipt's payload": _with(RECEIPT, lambda text: text.replace('"payload": "ey', '"payload": "ez')),
    "the receipt of another": _forge,
    "the signature of another receipt": _swap_signature,
    "no signature": _with(RECEIPT, lambda text: text.split('"signatures"')[0] + '"signatures": []\n}\n'),
    "no receipt": lambda folder: (folder / RECEIPT).unlink(),
}


@pytest.mark.parametrize("what", BREAKS)
def test_what_was_tampered_with_is_refused(delivery: Path, key: Path, what: str) -> None:
    """By Dockyard and by the client's shell alike."""
    BREAKS[what](delivery)
    public = key.with_suffix(".pub")
    with pytest.raises((JobFailed, InputProblem)):
        verify(delivery, public)
    told = by_shell(delivery, public)
    assert told.returncode == 1, told.stdout
    assert told.stderr.startswith(
        (
            "verify: ",
            "copy.sh: FAILED",
            "image.tar.zst.000: FAILED",
            "evidence/record.json: FAILED",
            "sha256sum: ",
        )
    )


def test_what_is_missing_and_what_was_added_are_named(delivery: Path) -> None:
    """The client's shell names both, so that what is missing alone is copied again."""
    (delivery / "evidence" / "record.json").unlink()
    (delivery / "more.txt").write_text("x")
    assert "missing: evidence/record.json; added: more.txt\n" in by_shell(delivery, None).stderr


def test_a_copy_goes_on_where_it_was_cut_off(delivery: Path, tmp_path: Path) -> None:
    """What lies there as it was made stays; what is half, damaged or missing is copied; then it verifies."""
    copy = ["sh", str(delivery / "copy.sh"), str(tmp_path / "on a stick")]
    (tmp_path / "on a stick" / "evidence").mkdir(parents=True)
    (tmp_path / "on a stick" / ".copying").write_text("half")
    (tmp_path / "on a stick" / "image.tar.zst.000").write_bytes(b"an imag")
    shutil.copyfile(delivery / "verify.sh", tmp_path / "on a stick" / "verify.sh")
    copied = subprocess.run(copy, capture_output=True, text=True, check=True).stdout
    assert copied.startswith("copy: 3 of 4 files were copied; next: ")
    assert by_shell(tmp_path / "on a stick", None).returncode == 0
    again = subprocess.run(copy, capture_output=True, text=True, check=True).stdout
    assert again.startswith("copy: 0 of 4 files")
    onto_itself = ["sh", str(delivery / "copy.sh"), str(delivery)]
    refused = subprocess.run(onto_itself, capture_output=True, text=True, check=False)
    assert (refused.returncode, "is this delivery itself" in refused.stderr) == (1, True)


def test_an_archive_in_parts(tmp_path: Path) -> None:
    """Parts in their order are the archive, which gives way to them."""
    content = bytes(range(256)) * (PART_BYTES // 256) + b"the rest"
    (tmp_path / ARCHIVE).write_bytes(content)
    assert split_archive(tmp_path) == archive_size(tmp_path) == len(content)
    parts = sorted(tmp_path.iterdir())
    assert [part.name for part in parts] == ["image.tar.zst.000", "image.tar.zst.001"]
    assert b"".join(part.read_bytes() for part in parts) == content


def test_a_key_that_is_none_is_told(delivery: Path, tmp_path: Path, key: Path) -> None:
    """A private key in place of the public one, a file of something else, none at all."""
    receipt = read_receipt((delivery / RECEIPT).read_text(), "receipt")
    other = tmp_path / "other.pub"
    other.write_text("no key")
    for wrong in (key, other, tmp_path / "none.pub"):
        with pytest.raises(InputProblem, match="key"):
            why_not_signed_by(receipt, wrong)
    assert by_shell(delivery, tmp_path / "none.pub").returncode == 1
    with pytest.raises(InputProblem, match="no private ed25519 key"):
        write_receipt({}, {}, other)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"payloadType": 3}', "[" * 5000, '{"payloadType": "x"}'])
def test_what_is_no_receipt_is_told(text: str) -> None:
    with pytest.raises(InputProblem, match="no receipt"):
        read_receipt(text, "receipt.json")


def test_a_delivery_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """One that cannot be finished leaves nothing; one that is there already is left as it is."""
    output = tmp_path / "dist"

    def fail() -> None:
        with new_folder(output) as folder:
            (folder / "half").write_text("x")
            raise RuntimeError

    def fill_the_disk() -> None:
        with new_folder(output) as folder:
            (folder / "half").write_text("x")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(RuntimeError):
        fail()
    with pytest.raises(EnvironmentProblem, match="No space left") as told:
        fill_the_disk()
    assert told.value.advice == "make room"
    assert list(tmp_path.iterdir()) == []
    with new_folder(output) as folder:
        (folder / "whole").write_text("x")
    assert (output / "whole").is_file()
    with pytest.raises(InputProblem, match="already"), new_folder(output):
        pass


def test_what_changes_between_two_deliveries(delivery: Path, key: Path, tmp_path: Path) -> None:
    """Figures, layers and the packages that are in one alone or in another release; what is the same, too."""

    def made(name: str, packages: dict[str, str], predicate: dict[str, object]) -> Path:
        folder = tmp_path / name
        shutil.copytree(delivery, folder)
        found = [{"purl": f"pkg:pypi/{one}@{at}", "version": at} for one, at in packages.items()]
        (folder / EVIDENCE / BILL).write_text(json.dumps({"components": found}))
        (folder / LAYERS).write_text(json.dumps({"layers": ["a", "b", name]}))
        subjects = {SUMS: write_sums(folder)}
        (folder / RECEIPT).write_text(write_receipt(subjects, predicate, key))
        return folder

    first = made("first", {"numpy": "2.1", "gone": "1"}, {"variant": "baseline", "quality": {"iou": 0.9}})
    second = made("second", {"numpy": "2.2"}, {"variant": "int8", "ms": {"estimate": 1.25}})
    rows = {row.what: (row.first, row.second) for row in changes(first, second)}
    assert rows["variant"] == ("baseline", "int8")
    assert rows["quality"] == ("iou 0.9000", "-")
    assert rows["ms"] == ("-", "1.25")
    assert rows["layers, of which in both"] == ("3, 2", "3, 2")
    assert rows["pkg:pypi/numpy"] == ("2.1", "2.2")
    assert rows["pkg:pypi/gone"] == ("1", "-")
    (second / "image.tar.zst.000").write_bytes(b"damaged")
    with pytest.raises(JobFailed, match="not as it was made"):
        changes(first, second)
