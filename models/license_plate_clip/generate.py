"""Generate the clip that licence plates are read in: `python generate.py --output DIR`.

DIR/clip holds clip.mp4, what a fixed camera sees of a street, and clip.truth.jsonl, a line for each frame
with the plates in it. The same bytes come out whatever the number of workers, and a longer clip begins with
the frames of a shorter one.
"""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "license_plate"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import av
import cv2
import numpy as np
from generator import Printer, Progress, appearing, option_parser, run_to_end
from scenes import FRAME_HEIGHT, FRAME_WIDTH
from street import SeenPlate, Sprite, Street, draw_frame, draw_sprite, draw_street
from traffic import RATE, passing

SEED = 33
SECONDS = 60
BIT_RATE = 2_000_000

ENCODER = {
    "preset": "superfast",
    "profile": "high",
    # As a camera: bits by the second, no frame that is made of later ones, two seconds from one whole picture
    # to the next.
    "maxrate": str(BIT_RATE),
    "bufsize": str(2 * BIT_RATE),
    "bf": "0",
    "g": str(2 * RATE),
    "sc_threshold": "0",
    # The same bytes on every machine.
    "threads": "1",
    "x264-params": "cpu-independent=1",
}

Drawn = tuple[np.ndarray, list[SeenPlate]]
"""A frame, uint8 [1080, 1280] in planes of Y, U and V (I420), and the plates in it."""


def generate(
    output: Path,
    workers: int | None = None,
    progress: Progress | None = None,
    seconds: float = SECONDS,
    seed: int = SEED,
) -> None:
    """Write the clip under `output`, which appears only when complete; a folder already there is refused.

    Args:
        workers: frames that are drawn at once, one for each processor by default.
        progress: called with the number of frames written and their total.
        seconds: of the clip, a frame at least.
        seed: another street, other vehicles, other plates.
    """
    frames = max(1, round(seconds * RATE))
    cv2.setNumThreads(1)  # there is a worker for each processor already
    with appearing(output) as part:
        (part / "clip").mkdir()
        video, truth = part / "clip" / "clip.mp4", part / "clip" / "clip.truth.jsonl"
        with av.open(str(video), "w") as container, truth.open("w", encoding="utf-8") as lines:
            stream = container.add_stream("libx264", rate=RATE, options=ENCODER)
            stream.width, stream.height, stream.pix_fmt = FRAME_WIDTH, FRAME_HEIGHT, "yuv420p"
            stream.bit_rate = BIT_RATE
            for number, (planes, seen) in enumerate(_drawn(seed, frames, workers or os.cpu_count() or 1)):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
                lines.write(json.dumps({"frame": number, "objects": [*map(_truth, seen)]}) + "\n")
                if progress is not None:
                    progress(number + 1, frames)
            container.mux(stream.encode())


def _drawn(seed: int, frames: int, workers: int) -> Iterator[Drawn]:
    """Yield the frames in their order; no more than a few are there at once, however long the clip is."""
    street = draw_street(seed)
    sprites: dict[int, Sprite] = {}
    waiting: deque[Future[Drawn]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for frame, vehicles in passing(seed, frames):
            sprites = {v.number: sprites.get(v.number) or draw_sprite(seed, v.number) for v in vehicles}
            here = tuple((vehicle, sprites[vehicle.number]) for vehicle in vehicles)
            waiting.append(pool.submit(partial(_draw, street, here, seed, frame)))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _draw(street: Street, vehicles: Any, seed: int, frame: int) -> Drawn:
    pixels, seen = draw_frame(street, vehicles, seed, frame)
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2YUV_I420), seen


def _truth(seen: SeenPlate) -> dict[str, Any]:
    """Return an object of a truth file's line."""
    box = [round(side, 2) for side in seen.box]
    plate = seen.plate
    return {"box": box, "text": plate.reading, "country": plate.country, "is_whole": seen.is_whole}


if __name__ == "__main__":
    parser = option_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of the clip (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="of all that is drawn (default: %(default)s)")
    options = parser.parse_args()
    run_to_end(
        lambda: generate(
            options.output, options.workers, Printer("generate frames"), options.seconds, options.seed
        )
    )
