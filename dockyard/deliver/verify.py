"""Is every byte of a delivery what was made, and who made it?"""

from __future__ import annotations

import re
from pathlib import Path

from dockyard.deliver.bundle import RECEIPT, SUMS, files_of
from dockyard.deliver.receipt import MAX_BYTES, Receipt, read_receipt, why_not_signed_by
from dockyard.recipe.hashing import file_hash
from shared.contract.errors import InputProblem, JobFailed

_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")

ANEW = "copy the delivery anew"


def verify(folder: Path, key: Path | None) -> Receipt:
    """Check a delivery's folder; return its receipt.

    Args:
        key: the public key of whoever made it; None checks for damage alone.

    Raises:
        InputProblem: it is no delivery, or the key is none.
        JobFailed: a byte is not as it was made, or it is not signed by that key.
    """
    for name in (SUMS, RECEIPT):
        if not (folder / name).is_file():
            raise InputProblem(f"there is no {name}", str(folder), "name the folder of a delivery")
    for path in folder.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise JobFailed("there are links among the files", str(path), ANEW)
    if (folder / RECEIPT).stat().st_size > MAX_BYTES:
        raise JobFailed("it is too large to be one", str(folder / RECEIPT), ANEW)
    receipt = read_receipt((folder / RECEIPT).read_text(encoding="utf-8"), str(folder / RECEIPT))
    if receipt.subjects.get(SUMS) != file_hash(folder / SUMS):
        raise JobFailed("the receipt is not of this delivery", str(folder / RECEIPT), ANEW)
    _check_files(folder)
    if key is not None:
        reason = why_not_signed_by(receipt, key)
        if reason:
            raise JobFailed(
                reason, str(folder / RECEIPT), "ask whoever made it for the right delivery or key"
            )
    return receipt


def _check_files(folder: Path) -> None:
    """Check each file against SHA256SUMS. Raises JobFailed."""
    wanted: dict[str, str] = {}
    for line in (folder / SUMS).read_text(encoding="utf-8").splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            raise JobFailed(f"a line cannot be read: {line[:80]}", str(folder / SUMS), ANEW)
        wanted[found[2]] = found[1]
    here = set(files_of(folder))
    for name in sorted(here ^ set(wanted)):
        what = "it was added" if name in here else "it is missing"
        raise JobFailed(what, str(folder / name), ANEW)
    for name, digest in wanted.items():
        if file_hash(folder / name) != digest:
            raise JobFailed("it is not as it was made", str(folder / name), ANEW)
