"""Image files of every kind come out upright, in 8 bits and opaque, or are refused by the host."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dockyard.run.image_files import read_header
from shared.contract.errors import InputProblem
from shared.inference.image_files import UnreadableImage, decode, images_of
from tests.fakes import attempt

SCENE = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)


def written(pixels: Any, form: str = "PNG", **options: Any) -> bytes:
    """An image file as Pillow writes it, of an image or of RGB pixels."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    stream = BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def rgb(encoded: bytes, background: str = "black") -> Any:
    return decode(encoded, "a", background)[..., ::-1]


def header(folder: Path, encoded: bytes) -> Any:
    (folder / "a.png").write_bytes(encoded)
    return read_header(folder / "a.png", "a.png")


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[274] = orientation
    return exif


STORED = {
    1: SCENE,
    2: SCENE[:, ::-1],
    3: SCENE[::-1, ::-1],
    4: SCENE[::-1],
    5: SCENE.swapaxes(0, 1),
    6: SCENE.swapaxes(0, 1)[::-1],
    7: SCENE[::-1, ::-1].swapaxes(0, 1),
    8: SCENE.swapaxes(0, 1)[:, ::-1],
}
"""How a camera stores one scene, by the orientation that it writes beside it (EXIF 2.3, 4.6.4 A)."""


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("has_alpha", [False, True])
def test_images_are_upright(tmp_path: Path, orientation: int, form: str, has_alpha: bool) -> None:
    """One scene comes out the same from all eight orientations, transparent or not, and the host knows how
    large it is."""
    pixels = np.ascontiguousarray(STORED[orientation])
    wanted = SCENE
    if has_alpha:
        # It follows from the colours, so that it lies with them however they are turned.
        wanted = SCENE * (SCENE[..., :1] > 99)
        pixels = np.dstack([pixels, (pixels[..., 0] > 99) * np.uint8(255)])
    options = {"lossless": True, "exact": True} if form == "WEBP" else {}
    encoded = written(pixels, form, exif=turned(orientation), **options)
    assert np.array_equal(rgb(encoded), wanted)
    found = header(tmp_path, encoded)
    assert (found.size, found.has_alpha, found.is_turned) == ((6, 4), has_alpha, orientation > 4)


def test_jpegs_are_upright(tmp_path: Path) -> None:
    """A JPEG's orientation counts, as the cameras of phones write it."""
    scene = np.zeros((16, 24, 3), np.uint8)
    scene[:8, :8] = 255
    encoded = written(np.ascontiguousarray(scene.swapaxes(0, 1)[::-1]), "JPEG", exif=turned(6))
    assert np.abs(rgb(encoded).astype(int) - scene).max() < 9
    assert header(tmp_path, encoded).size == (24, 16)


@pytest.mark.parametrize(("background", "value"), [("black", 0), ("white", 255)])
@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_transparency_is_composed(background: str, value: int, form: str) -> None:
    """What is transparent shows the background, what is half so the half of both."""
    pixels = np.full((2, 3, 4), (200, 100, 50, 255), np.uint8)
    pixels[0, 0, 3], pixels[0, 1, 3] = 0, 128
    options = {"lossless": True, "exact": True} if form == "WEBP" else {}
    found = rgb(written(pixels, form, **options), background)
    assert found[0, 0].tolist() == [value] * 3
    half = np.array((200, 100, 50)) * 128 / 255 + value * 127 / 255
    assert np.abs(found[0, 1] - half).max() <= 1
    assert found[1, 2].tolist() == [200, 100, 50]


def test_transparent_colours_of_a_palette(tmp_path: Path) -> None:
    """A PNG or GIF in which one colour of the palette is transparent is composed too."""
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    image.putpalette([10, 20, 30, 200, 0, 0, 0, 200, 0])
    for form in ("PNG", "GIF"):
        encoded = written(image, form, transparency=1)
        assert rgb(encoded, "white").tolist() == [[[10, 20, 30], [255, 255, 255], [0, 200, 0]]]
        assert header(tmp_path, encoded).has_alpha


def test_grey_with_a_transparent_value(tmp_path: Path) -> None:
    """OpenCV would drop the transparency of a grey PNG: host and job refuse it alike."""
    encoded = written(Image.new("L", (3, 2), 9), transparency=9)
    with pytest.raises(UnreadableImage, match="grey and partly transparent"):
        decode(encoded, "a.png")
    with pytest.raises(InputProblem, match="grey image that is transparent"):
        header(tmp_path, encoded)


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 3), (4, 6, 4)])
@pytest.mark.parametrize("ending", [".png", ".tiff"])
def test_16_bits_are_scaled(tmp_path: Path, shape: tuple[int, ...], ending: str) -> None:
    """An image of 16 bits becomes what it would be in 8, within half a level."""
    wide = np.random.default_rng(1).integers(0, 65536, shape, np.uint16)
    wide[..., -1:] = 65535
    encoded = cv2.imencode(ending, wide)[1].tobytes()
    narrow = np.rint(wide / 257)
    wanted = narrow[..., :3] if len(shape) == 3 else np.dstack([narrow] * 3)
    assert np.array_equal(decode(encoded, "a"), wanted)
    assert header(tmp_path, encoded).size == (6, 4)


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 3)])
@pytest.mark.parametrize("ending", [".png", ".tiff"])
def test_12_bits_in_16_are_refused(tmp_path: Path, shape: tuple[int, ...], ending: str) -> None:
    """An image of 12 bits in a file of 16 that does not say so would be black: host and job refuse it."""
    encoded = cv2.imencode(ending, np.full(shape, 4095, np.uint16))[1].tobytes()
    with pytest.raises(UnreadableImage, match="16 bits and no value above 4095"):
        decode(encoded, "a.png")
    with pytest.raises(InputProblem, match="it may have fewer, and does not say so"):
        header(tmp_path, encoded)


@pytest.mark.parametrize(
    ("white", "values"),
    [(255, (0, 128, 255)), (100, (0, 50, 100)), (4095, (0, 2047, 4095)), (65535, (0, 32768, 65535))],
)
def test_pnm_says_where_white_is(tmp_path: Path, white: int, values: tuple[int, ...]) -> None:
    """The third number of a PGM file is white."""
    samples = np.array(values, ">u2" if white > 255 else "u1").tobytes()
    encoded = b"P5\n# by hand\n3 1\n%d\n" % white + samples
    assert np.abs(rgb(encoded)[0, :, 0].astype(int) - (0, 127.5, 255)).max() <= 1
    assert header(tmp_path, encoded).size == (3, 1)


def tiff(bits: int, samples: bytes, *more: tuple[int, int]) -> bytes:
    """A grey TIFF file of 2 x 1 pixels, with more tags (number, value)."""
    tags = [(256, 2), (257, 1), (258, bits), (259, 1), (262, 1), (277, 1), (278, 1), *more]
    tags.append((279, len(samples)))
    place = 10 + 12 * (len(tags) + 1) + 4
    entries = (struct.pack("<HHII", tag, 3, 1, value) for tag, value in sorted([*tags, (273, place)]))
    return b"II*\0" + struct.pack("<IH", 8, len(tags) + 1) + b"".join(entries) + bytes(4) + samples


@pytest.mark.parametrize(
    "encoded",
    [
        tiff(12, bytes([0xFF, 0xF8, 0x00])),
        tiff(16, np.array([4095, 2048], "<u2").tobytes(), (281, 4095)),
        tiff(16, np.array([65535, 32768], "<u2").tobytes(), (281, 65535)),
    ],
    ids=["12 bits", "12 in 16, said", "16 bits"],
)
def test_tiff_says_where_white_is(tmp_path: Path, encoded: bytes) -> None:
    """A TIFF file of fewer than 16 bits, or that says how many of them are used, is scaled by that."""
    assert np.abs(rgb(encoded)[0, :, 0].astype(int) - (255, 128)).max() <= 1
    assert header(tmp_path, encoded).size == (2, 1)


MODES = ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "I;16", "I", "F"]
FORMS = ["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "JPEG2000"]
UNKNOWN = ["PCX", "ICO", "TGA", "SGI", "DIB"]
"""Formats that Pillow writes; OpenCV does not decode the latter."""


def white(mode: str) -> Image.Image:
    if mode.startswith("I"):
        return Image.fromarray(np.full((32, 32), 65535, np.uint16 if mode == "I;16" else np.int32))
    return Image.new("RGB", (32, 32), (255, 255, 255)).convert(mode)


@pytest.mark.filterwarnings("ignore:Saving I mode images as PNG")
@pytest.mark.parametrize("form", [*FORMS, *UNKNOWN])
def test_what_the_host_takes_a_job_decodes(tmp_path: Path, form: str) -> None:
    """Of all that Pillow writes, the host takes what a job decodes, and refuses the rest."""
    taken = []
    for mode in MODES:
        encoded, _ = attempt(Exception, written, white(mode), form)
        if encoded is None:
            continue  # Pillow does not write it
        _, problem = attempt(InputProblem, header, tmp_path, encoded)
        if problem is None:
            assert np.abs(rgb(encoded).astype(int) - 255).max() <= 2
            taken.append(mode)
        elif form in UNKNOWN:
            assert problem.what == f"an image of the format {form}, which is not decoded"
    assert bool(taken) == (form in FORMS)


@pytest.mark.parametrize(
    ("compression", "mode"),
    [
        ("raw", "RGB"),
        ("tiff_lzw", "RGB"),
        ("tiff_adobe_deflate", "RGB"),
        ("packbits", "RGB"),
        ("jpeg", "RGB"),
        ("group3", "1"),
        ("group4", "1"),
    ],
)
def test_compressions_of_tiff(tmp_path: Path, compression: str, mode: str) -> None:
    """The common compressions of TIFF are decoded, the lossy one within its loss."""
    encoded = written(white(mode), "TIFF", compression=compression)
    assert header(tmp_path, encoded).size == (32, 32)
    assert np.abs(rgb(encoded).astype(int) - 255).max() <= 2


@given(st.integers(0, 200), st.binary(max_size=4), st.sampled_from(["PNG", "WEBP", "GIF", "BMP", "PPM"]))
def test_damaged_images_are_decoded_or_refused(cut: int, tail: bytes, form: str) -> None:
    """However a file is damaged, a job decodes it or says that it cannot."""
    encoded = written(np.dstack([SCENE, SCENE[..., :1]]), form)
    pixels, error = attempt(UnreadableImage, decode, encoded[:cut] + tail + encoded[cut + len(tail) :], "a")
    assert error is not None or (pixels is not None and pixels.dtype == np.uint8)


def test_hidden_images_are_passed_over(tmp_path: Path) -> None:
    """Of a folder the images are taken in their order, and not what a Mac leaves beside each."""
    for name in ("b.png", "a.JPG", "._a.JPG", "Thumbs.db", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in images_of(tmp_path)] == ["a.JPG", "b.png"]
