"""Text files as people's programs leave them: Excel, PowerShell and editors on Windows put marks in front."""

from __future__ import annotations

import codecs
from pathlib import Path

from .errors import InputProblem

EXCEL = " (in Excel: 'CSV UTF-8')"

UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decoded(content: bytes) -> str:
    """Return the text of a file: UTF-8 with or without a byte-order mark, or UTF-16 with one.

    Raises:
        UnicodeDecodeError: it is neither.
    """
    return content.decode("utf-16" if content.startswith(UTF16) else "utf-8-sig")


def read_text(path: Path) -> str:
    """Read a text file.

    Raises:
        FileNotFoundError: there is none.
        InputProblem: it cannot be read, or it is no text.
    """
    advice = f"save it as UTF-8{EXCEL if path.suffix == '.csv' else ''}"
    try:
        text = decoded(path.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputProblem(f"cannot be read ({error.strerror or error})", str(path)) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        what = f"no text in UTF-8: the byte {error.object[error.start]:#04x} in line {line}"
        raise InputProblem(what, str(path), advice) from None
    if "\0" in text:
        what = "NUL characters in it, as UTF-16 without a byte-order mark has them"
        raise InputProblem(what, str(path), advice)
    return text
