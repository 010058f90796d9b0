"""A configuration of nvinfer as text and back, in both syntaxes that nvinfer reads.

nvinfer takes a file that ends with `.yml` or `.yaml` for YAML and every other one for a GLib key file. Of
YAML this is the part that nvinfer's files need: groups, and one line for each key. Lists are one scalar with
semicolons in both, booleans 0 or 1: nvinfer turns a YAML boolean into an integer, and `true` is none.
"""

from __future__ import annotations

import re
from typing import List, NoReturn, Optional, Set, Tuple

from nvinfer_entries import Config, Entry
from nvinfer_keys import INI, YAML

from shared.contract.errors import InputProblem

MOST_CHARACTERS = 65536
"""Of a file that is read; nvinfer's own samples have a few thousand."""

NAME = r"[A-Za-z0-9_][A-Za-z0-9_-]*"
INI_GROUP, YAML_GROUP = re.compile(rf"\[({NAME})\]\Z"), re.compile(rf"({NAME}):\Z")
INI_ENTRY, YAML_ENTRY = re.compile(rf"({NAME})\s*=\s*(.*)\Z"), re.compile(rf"({NAME}):(?: +(.*))?\Z")
YAML_COMMENT = re.compile(r"(^|\s+)#.*\Z")
YAML_MARKS = tuple("\"'[]{}&*!|>%@`,?")
"""What begins a YAML value that is more than a plain scalar."""

PLAIN = re.compile(r"[A-Za-z0-9_./+-][A-Za-z0-9_./+:;=,@~ -]*\Z")
"""A value that both syntaxes hold as it is: GLib escapes with backslashes, YAML marks with the others."""


def syntax_of(name: str) -> str:
    """Return the syntax in which nvinfer reads a file of that name: `ini` or `yaml`."""
    return YAML if name.endswith((".yml", ".yaml")) else INI


def write(config: Config, syntax: str) -> str:
    """Return a configuration as the text of a file; where a value came from stands above it as a comment.

    Args:
        syntax: `ini` or `yaml`.

    Raises:
        InputProblem: a value that a file cannot hold as it is.
    """
    lines: List[str] = []
    for group in config.groups:
        lines.append(f"[{group}]" if syntax == INI else f"{group}:")
        for entry in config.entries:
            if entry.group == group:
                lines += _lines_of(entry, syntax)
    return "\n".join(lines) + "\n"


def _lines_of(entry: Entry, syntax: str) -> List[str]:
    """Return the comment and the line of an entry."""
    value = entry.value
    if not PLAIN.match(value) or value != value.strip() or value.endswith(":") or re.search(": |^- ", value):
        allowed = "letters, digits, single words and . / ; : _ - + = , @ ~ are what both syntaxes hold"
        raise InputProblem(f"{entry.key} is {value!r}, which a file cannot hold as it is", "", allowed)
    indent = "" if syntax == INI else "  "
    comment = [f"{indent}# {' '.join(entry.source.split())}"] if entry.source else []
    middle = "=" if syntax == INI else ": "
    return [*comment, f"{indent}{entry.key}{middle}{value}"]


def read(text: str, syntax: str, name: str = "config") -> Config:
    """Return the configuration that a file's text holds, without comments.

    Args:
        syntax: `ini` or `yaml`.
        name: of the file, for errors.

    Raises:
        InputProblem: naming the line, where the text is none, a group or a key is there twice, or it is long.
    """
    if len(text) > MOST_CHARACTERS:
        advice = f"a configuration has up to {MOST_CHARACTERS} characters"
        raise InputProblem(f"the file has {len(text)} characters", name, advice)
    reader = _Reader(name)
    for number, line in enumerate(text.split("\n"), 1):
        reader.number = number
        if any(ord(character) < 32 for character in line.rstrip().replace("\t", "")):
            reader.fail("a control character", "remove it")
        if syntax == INI:
            _read_ini(reader, line.strip())
        else:
            _read_yaml(reader, YAML_COMMENT.sub("", line.rstrip()))
    return Config(tuple(reader.entries))


class _Reader:
    """What was read so far, and where."""

    def __init__(self, name: str) -> None:
        self.name, self.number = name, 0
        self.entries: List[Entry] = []
        self.group: Optional[str] = None
        self.indent = ""
        self._seen: Set[Tuple[str, str]] = set()

    def fail(self, what: str, advice: str) -> NoReturn:
        raise InputProblem(what, f"{self.name}, line {self.number}", advice)

    def begin(self, group: str) -> None:
        """Begin a group."""
        if (group, "") in self._seen:
            self.fail(f"the group '{group}' is there twice", "put its keys together")
        self._seen.add((group, ""))
        self.group, self.indent = group, ""

    def add(self, key: str, value: str) -> None:
        """Add an entry to the group."""
        if self.group is None:
            self.fail(f"'{key}' stands before any group", "begin with the group 'property'")
        if (self.group, key) in self._seen:
            self.fail(f"'{key}' is there twice in '{self.group}'", "keep one of them")
        if not value:
            self.fail(f"'{key}' has no value", "give it one or remove it")
        self._seen.add((self.group, key))
        self.entries.append(Entry(key, value, group=self.group))


def _read_ini(reader: _Reader, line: str) -> None:
    """Read a line of a GLib key file, its margins removed."""
    group, entry = INI_GROUP.match(line), INI_ENTRY.match(line)
    if group:
        reader.begin(group.group(1))
    elif entry:
        reader.add(entry.group(1), entry.group(2))
    elif line and not line.startswith("#"):
        reader.fail("neither a group, a key with its value, nor a comment", "write `key=value`")


def _read_yaml(reader: _Reader, line: str) -> None:
    """Read a line of YAML, its comment removed."""
    inner = line.lstrip(" ")
    group, entry = YAML_GROUP.match(line), YAML_ENTRY.match(inner)
    if not inner.strip():
        return
    if group:
        reader.begin(group.group(1))
    elif entry is None or "\t" in line:
        reader.fail("neither a group nor a key with its value", "write `key: value`, indented with blanks")
    else:
        _read_yaml_entry(reader, line[: len(line) - len(inner)], *entry.groups(default=""))


def _read_yaml_entry(reader: _Reader, indent: str, key: str, text: str) -> None:
    value = text.strip()
    reader.indent = reader.indent or indent
    if not indent or indent != reader.indent:
        reader.fail(f"'{key}' is not indented as the keys before it", "indent all keys of a group alike")
    if value.startswith(YAML_MARKS) or ": " in value or value.endswith(":") or value.startswith("- "):
        reader.fail(f"'{key}' is more than a plain value", "write it on its line, without quotes or brackets")
    reader.add(key, value)
