"""`read`: image files, folders of them or standard input; a line of JSON for each thing that was found."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Callable, Iterator, Sequence, Tuple

from shared.inference.image_files import UnreadableImage, images_of
from shared.inference.stream import Nodes
from shared.serving.image_reading import ImageReading, read_image

STANDARD_INPUT = "-"

Say = Callable[[str], None]


def read_all(nodes: Nodes, inputs: Sequence[str], say: Say, complain: Say) -> int:
    """Read every image; return how many could not be read. Those are complained of and left out.

    Args:
        inputs: files, folders (their images in the order of names), or `-` for an image on standard input.
    """
    failures = 0
    for name, load in _images(inputs):
        try:
            reading = read_image(nodes, load(), name)
        except (OSError, UnreadableImage) as error:
            failures += 1
            complain(f"{name}: {error}")
            continue
        for line in lines_of(name, reading):
            say(line)
    return failures


def lines_of(name: str, reading: ImageReading) -> Iterator[str]:
    """Yield a line for each thing that was found; one whose box is null where that was nothing."""
    for found in reading.found or ({"box": None},):
        yield json.dumps({"image": name, **found}, ensure_ascii=False)


def _images(inputs: Sequence[str]) -> Iterator[Tuple[str, Callable[[], bytes]]]:
    """Yield the name of each image, and what reads its file."""
    for each in inputs:
        path = Path(each)
        if each == STANDARD_INPUT:
            yield each, sys.stdin.buffer.read
        elif path.is_dir():
            for image in images_of(path):
                yield str(image), image.read_bytes
        else:
            yield each, path.read_bytes
