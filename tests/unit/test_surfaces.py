"""The generator of damaged surfaces: the same pixels from the same seed, clean masks, true polygons."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from shared.contract.dataset import read_labelme, read_split

_FOLDER = Path(__file__).resolve().parents[2] / "models" / "damage_detector"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """The generator's script, loaded under a name of its own: other models have a generate.py too."""
    spec = importlib.util.spec_from_file_location("damage_generate", _FOLDER / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    path = list(sys.path)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    sys.path[:] = path
    return module


def _surfaces(generator: ModuleType, count: int = 16) -> list[Any]:
    return [generator.render_surface(generator.sample_rng(7, "test", index)) for index in range(count)]


def test_a_seed_gives_the_same_pixels_and_another_index_others(generator: ModuleType) -> None:
    """Picture, masks and file depend on the seed, the split and the index alone."""
    first, again = (generator.render_surface(generator.sample_rng(7, "test", 3)) for _ in range(2))
    assert np.array_equal(first.pixels, again.pixels)
    assert np.array_equal(first.mask, again.mask)
    assert generator.jpeg_bytes(first) == generator.jpeg_bytes(again)
    for sample in ((7, "test", 4), (7, "validation", 3), (8, "test", 3)):
        other = generator.sample_rng(*sample)
        assert not np.array_equal(first.pixels, generator.render_surface(other).pixels)


def test_masks_are_of_the_pictures_size_and_hold_0_and_255(generator: ModuleType) -> None:
    """A mask says of each pixel of the picture yes or no, and some pictures say yes."""
    surfaces = _surfaces(generator)
    for surface in surfaces:
        assert surface.pixels.shape == (480, 640, 3)
        assert surface.pixels.dtype == np.uint8
        assert surface.mask.shape == (480, 640)
        assert surface.mask.dtype == np.uint8
        assert set(np.unique(surface.mask)) <= {0, 255}
    kinds = {kind for surface in surfaces for kind, _ in surface.damages}
    assert kinds == {"scratch", "dent", "rust", "crack"}


def test_polygons_cover_what_the_masks_cover(generator: ModuleType, tmp_path: Path) -> None:
    """The polygons, read back and painted, agree with the masks at a mean IoU above 0.97."""
    agreement = []
    for surface in _surfaces(generator):
        path = tmp_path / "a.json"
        path.write_text(json.dumps(generator.labelme(surface, "a.jpg")), encoding="utf-8")
        drawn = read_labelme(path)
        assert (drawn.width, drawn.height) == (640, 480)
        canvas = np.zeros((480, 640), np.uint8)
        for label, corners in drawn.polygons:
            assert label in ("scratch", "dent", "rust", "crack")
            cv2.fillPoly(canvas, [np.asarray(corners, np.int32)], 255)
        either = np.count_nonzero(canvas | surface.mask)
        agreement.append(np.count_nonzero(canvas & surface.mask) / either if either else 1.0)
    assert np.mean(agreement) > 0.97


def test_the_folder_of_a_split_is_read_as_a_segmentation_set(generator: ModuleType, tmp_path: Path) -> None:
    """A sample is written as the picture, its mask without loss, and its polygons, under one name."""
    folder = tmp_path / "surfaces" / "test"
    for kind in ("images", "masks", "labelme"):
        (folder / kind).mkdir(parents=True)
    generator._make((str(tmp_path), "test", 5))
    (sample,) = read_split(folder, "segmentation")
    assert sample.id == "images/000005.jpg"
    expected = generator.render_surface(generator.sample_rng(generator.SEED, "test", 5))
    assert np.array_equal(cv2.imread(str(sample.mask), cv2.IMREAD_UNCHANGED), expected.mask)
    assert len(read_labelme(folder / "labelme" / "000005.json").polygons) >= len(expected.damages)
    assert cv2.imread(str(sample.path)).shape == expected.pixels.shape


def test_a_folder_that_is_there_is_refused(generator: ModuleType, tmp_path: Path) -> None:
    """Nothing is written into an existing folder."""
    with pytest.raises(FileExistsError):
        generator.generate(tmp_path)
    assert not list(tmp_path.iterdir())
