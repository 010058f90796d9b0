"""What a network's `train.py` needs besides the network: its command line and samples rendered in advance."""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf

Sample = dict[str, np.ndarray]


def command_line(description: str | None, rate: float, every: int) -> argparse.ArgumentParser:
    """Return a parser with the options of every training; `rate` and `every` are defaults of this one."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--output", type=Path, required=True, help="the frozen graph to write")
    parser.add_argument("--work", type=Path, required=True, help="folder for training data and checkpoints")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=rate)
    parser.add_argument("--every", type=int, default=every, help="steps between checkpoints")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes that render")
    parser.add_argument(
        "--threads", type=int, default=0, help="threads of the training, 0 for one a processor"
    )
    return parser


def read_options(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line; set TensorFlow's threads and seed all random numbers accordingly."""
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    # One operation at a time: operations side by side would each take that many threads.
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(options.seed)
    return options


def load_samples(
    folder: Path, make: Callable[[int], Sample], count: int, chunk: int, workers: int
) -> dict[str, np.ndarray]:
    """Return the samples that `folder` holds, a memory-mapped array for each field; render them if missing.

    Args:
        make: returns the sample of an index below `count`, in a process of its own.
        chunk: samples that a process renders before it hands them over.
    """
    if not folder.is_dir():
        _render(folder, make, count, chunk, workers)
    return {f.stem: np.load(f, mmap_mode="r") for f in sorted(folder.glob("*.npy"))}


def _render(folder: Path, make: Callable[[int], Sample], count: int, chunk: int, workers: int) -> None:
    """Render `count` samples into one .npy file a field; the folder appears when all are there."""
    part = folder.with_name(folder.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    ranges = [range(start, min(start + chunk, count)) for start in range(0, count, chunk)]
    files: dict[str, np.ndarray] = {}
    # "spawn": a forked process would inherit TensorFlow's locks, but not the threads that release them.
    with multiprocessing.get_context("spawn").Pool(workers, cv2.setNumThreads, (1,)) as pool:
        chunks = pool.imap_unordered(functools.partial(_render_chunk, make), ranges)
        for done, (indices, samples) in enumerate(chunks, 1):
            for name in samples[0]:
                values = np.stack([sample[name] for sample in samples])
                if name not in files:
                    shape = (count, *values.shape[1:])
                    files[name] = np.lib.format.open_memmap(part / f"{name}.npy", "w+", values.dtype, shape)
                files[name][indices.start : indices.stop] = values
            if done % 20 == 0:
                print(f"{folder.name}: {done * chunk} of {count}", flush=True)
    for array in files.values():
        array.flush()
    part.rename(folder)


def _render_chunk(make: Callable[[int], Sample], indices: range) -> tuple[range, list[Sample]]:
    return indices, [make(index) for index in indices]
