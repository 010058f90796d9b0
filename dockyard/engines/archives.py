"""A job folder as a tar on its way into a container, and what comes back, which is not trusted."""

from __future__ import annotations

import errno
import shutil
import tarfile
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath
from typing import IO

from shared.contract.errors import JobFailed

CHUNK = 1 << 20


def pack(folder: Path, archive: IO[bytes], user: int, left_out: Collection[str] = ()) -> None:
    """Write a folder's content as a tar whose files belong to a user id, and to the group of the same id.

    Args:
        left_out: paths below the folder that are not written, nor what is below them.
    """

    def owned(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if info.name in left_out:
            return None
        info.uid = info.gid = user
        info.uname = info.gname = ""
        info.mode = 0o755 if info.isdir() else 0o644
        return info

    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, arcname=path.name, filter=owned)


def receive(chunks: Iterable[bytes], folder: Path, limit: int) -> None:
    """Unpack a tar that comes in pieces; `limit` is of its files together, in bytes.

    Raises:
        JobFailed: as `unpack` does.
    """
    with tempfile.TemporaryFile() as archive:
        received = 0
        for chunk in chunks:
            received += len(chunk)
            if received > limit + CHUNK:  # the headers, which are no file's bytes, have a piece of their own
                raise _too_much(limit)
            archive.write(chunk)
        archive.seek(0)
        unpack(archive, folder, limit)


def unpack(archive: IO[bytes], folder: Path, limit: int) -> None:
    """Unpack a tar that a container returned: plain files and folders below `folder`, `limit` bytes in all.

    Raises:
        JobFailed: a path that escapes, a link or a device, more bytes than allowed, no tar at all.
    """
    try:
        with tarfile.open(fileobj=archive, mode="r:") as tar:
            _unpack_members(tar, folder, limit)
    except (tarfile.TarError, EOFError) as error:
        raise JobFailed(f"the container returned no readable archive ({error})") from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise JobFailed(f"the container returned the same path twice ({error.filename})") from None
    except ValueError as error:
        raise JobFailed(f"the container returned a path that is none ({error})") from None
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise JobFailed("the container returned a path that is too long") from None


def _unpack_members(tar: tarfile.TarFile, folder: Path, limit: int) -> None:
    total = 0
    for member in tar:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
            where = "which is no plain file below its folder"
            raise JobFailed(f"the container returned '{member.name[:200]}', {where}")
        destination = folder / path
        if member.isdir():
            destination.mkdir(parents=True, exist_ok=True)
            continue
        total += member.size
        if total > limit:
            raise _too_much(limit)
        destination.parent.mkdir(parents=True, exist_ok=True)
        content = tar.extractfile(member)
        assert content is not None
        with destination.open("wb") as file:
            shutil.copyfileobj(content, file, CHUNK)


def _too_much(limit: int) -> JobFailed:
    return JobFailed(f"the container returned more than {limit >> 20} MB")
