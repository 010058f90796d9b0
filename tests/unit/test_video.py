"""Where frames come from: files, folders and what is wrong with them; addresses are in test_video_live.py."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from shared.contract.dataset import MAX_SIDE
from shared.contract.errors import InputProblem
from shared.inference.frames import Frame
from shared.inference.pictures import VideoPicture
from shared.inference.video import Outline, open_source, outline_of
from tests.videos import TURNED_MATRIX, UPRIGHT_MATRIX, frame_of, noise, numbers_in, write_noise, write_video

COLOURS = ((60, 40, 200), (90, 180, 30), (128, 128, 128), (30, 220, 230), (12, 10, 14), (238, 240, 235))
"""Blue, green and red, in two rows of three."""

KR_KB = {601: (0.299, 0.114), 709: (0.2126, 0.0722)}
"""What red and blue add to the brightness, by matrix."""

FFMPEG_MATRIX = {601: 5, 709: 1}

EXACT, SCALED = 2, 4
"""Grey levels that a colour may be off, converted by OpenCV and by FFmpeg's scaler."""


def drawn(height: int, width: int) -> Any:
    """The picture of COLOURS, uint8 BGR."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for number, colour in enumerate(COLOURS):
        row, column = divmod(number, 3)
        top, left = row * height // 2, column * width // 3
        pixels[top : (row + 1) * height // 2, left : (column + 1) * width // 3] = colour
    return pixels


def filmed(form: str, matrix: int, is_full: bool, height: int, width: int) -> Any:
    """The picture of COLOURS as a camera would code it, by the standards' own formulas."""
    blue, green, red = np.moveaxis(drawn(height, width).astype(float) / 255, 2, 0)
    kr, kb = KR_KB[matrix]
    y = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - y) / (2 - 2 * kb), (red - y) / (2 - 2 * kr)
    low, range_y, range_c = (0, 255, 255) if is_full else (16, 219, 224)
    planes = np.stack([low + range_y * y, 128 + range_c * cb, 128 + range_c * cr])
    frame = av.VideoFrame.from_ndarray(planes.round().clip(0, 255).astype(np.uint8), format="yuv444p")
    frame.colorspace, frame.color_range = FFMPEG_MATRIX[matrix], 2 if is_full else 1
    return frame if form == "yuv444p" else frame.reformat(format=form, threads=1)


def off_by(pixels: Any) -> int:
    """The largest difference of a colour to COLOURS, in the middles of their areas."""
    height, width = pixels.shape[:2]
    middles = [pixels[(2 * (n // 3) + 1) * height // 4, (2 * (n % 3) + 1) * width // 6] for n in range(6)]
    return int(np.abs(np.array(middles, int) - np.array(COLOURS)).max())


CAMERAS: list[tuple[str, str, str, int, bool, tuple[int, int], int]] = [
    ("mp4", "libx264", "yuv420p", 601, False, (64, 96), EXACT),
    ("mp4", "libx264", "yuv420p", 709, False, (64, 96), SCALED),
    ("mp4", "libx264", "yuvj420p", 601, True, (64, 96), SCALED),
    ("mp4", "libx264", "yuvj420p", 709, True, (64, 96), SCALED),
    ("mp4", "libx264", "yuv422p", 601, False, (64, 96), SCALED),
    ("mp4", "libx264", "yuv444p", 601, False, (65, 97), SCALED),
    ("mp4", "libx264", "yuv420p10le", 709, False, (64, 96), SCALED),
    ("mkv", "ffv1", "yuv420p", 601, False, (65, 97), SCALED),
    ("nut", "rawvideo", "nv12", 601, False, (64, 96), EXACT),
    ("nut", "rawvideo", "nv12", 601, False, (65, 97), SCALED),
    ("nut", "rawvideo", "yuyv422", 601, False, (64, 96), SCALED),
    ("avi", "mjpeg", "yuvj422p", 601, True, (64, 96), SCALED),
]


@pytest.mark.parametrize(("ending", "codec", "form", "matrix", "is_full", "size", "most"), CAMERAS)
def test_colours_are_those_that_were_filmed(
    tmp_path: Path, ending: str, codec: str, form: str, matrix: int, is_full: bool, size: Any, most: int
) -> None:
    """Whatever a camera codes colours in, matrix, range, and how often, they come out as they were drawn."""
    options = {"libx264": {"qp": "0"}, "mjpeg": {"qmin": "1", "qmax": "1"}}.get(codec, {})
    frames = [filmed(form, matrix, is_full, *size) for _ in range(3)]
    video = write_video(tmp_path / f"clip.{ending}", frames, codec=codec, options=options)
    read = list(open_source(str(video)).frames())
    assert len(read) == 3
    picture = read[1].picture
    assert (picture.height, picture.width) == size
    pixels = picture.bgr()
    assert pixels.shape == (*size, 3)
    assert pixels.dtype == np.uint8
    assert off_by(pixels) <= most


@pytest.mark.parametrize("matrix", [3, 8, 10, 14, 17])
def test_an_unknown_matrix_ends_nothing(matrix: int) -> None:
    """Colours by a matrix that FFmpeg's scaler does not know, or of a damaged file, come out all the same."""
    frame = filmed("yuv420p", 601, False, 64, 96)
    frame.colorspace = matrix
    assert off_by(VideoPicture(frame).bgr()) <= SCALED


def test_a_phones_video_is_upright(tmp_path: Path) -> None:
    """What a file says is to be turned comes out turned, and its size, too."""
    video = write_video(tmp_path / "phone.mp4", [frame_of(drawn(64, 96))] * 2)
    before, track, after = video.read_bytes().partition(b"tkhd")
    video.write_bytes(before + track + after.replace(UPRIGHT_MATRIX, TURNED_MATRIX, 1))
    picture = next(open_source(str(video)).frames()).picture
    assert (picture.height, picture.width) == (96, 64)
    assert not outline_of(str(video)).is_upright
    assert off_by(cv2.rotate(picture.bgr(), cv2.ROTATE_90_COUNTERCLOCKWISE)) <= SCALED


@pytest.mark.parametrize("decoders", [1, 3])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "avi", "h264"])
def test_every_frame_comes_in_order_with_its_time(tmp_path: Path, ending: str, decoders: int) -> None:
    """A video is read from its first frame to its last, numbered, at its times; raw H.264 at its rate."""
    in_order = {"bf": "0"} if ending == "avi" else {}  # its times are those of decoding alone
    video = write_noise(tmp_path / f"clip.{ending}", 30, {"crf": "10", "g": "10", **in_order}, rate=20)
    source = open_source(str(video), decoders)
    read = list(source.frames())
    assert [frame.number for frame in read] == list(range(30))
    assert numbers_in(read) == list(range(30))
    assert [frame.time_s for frame in read] == pytest.approx(np.arange(30) / 20)
    assert {frame.source for frame in read} == {str(video)}
    arrivals = [frame.arrived_ns for frame in read]
    assert arrivals == sorted(arrivals)
    assert not source.is_live
    assert source.counts.corrupt == 0


def places_in_frames(video: Path) -> list[int]:
    """The places in the middle third of a file that hold frames and not the container's own structure, which
    is told apart where a frame lies in one piece (not in .ts).
    """
    content = video.read_bytes()
    third = range(len(content) // 3, 2 * len(content) // 3)
    found: list[int] = []
    with av.open(str(video)) as container:
        for packet in container.demux(video=0):
            at = content.find(bytes(packet)) if packet.size else -1
            if at >= 0:
                found += [place for place in range(at, at + packet.size) if place in third]
    return found or list(third)


@pytest.mark.parametrize("decoders", [1, 3])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "h264"])
def test_what_is_damaged_is_counted_and_left_out(tmp_path: Path, ending: str, decoders: int) -> None:
    """Bytes of frames that are wrong in the middle cost these frames; the rest keep their numbers."""
    video = write_noise(tmp_path / f"clip.{ending}", 50)
    content = bytearray(video.read_bytes())
    for at in np.random.default_rng(1).choice(places_in_frames(video), 40):
        content[at] ^= 0xFF
    video.write_bytes(content)
    source = open_source(str(video), decoders)
    read = list(source.frames())
    assert source.counts.corrupt > 0
    assert 25 <= len(read) < 50
    late = [frame for frame in read if frame.number >= 40]
    assert numbers_in(late) == [frame.number for frame in late]
    assert len(late) == 10


@pytest.mark.parametrize("decoders", [1, 3])
@pytest.mark.parametrize(
    ("ending", "options"),
    [("mp4", {"movflags": "faststart"}), ("mkv", {}), ("ts", {}), ("h264", {}), ("avi", {})],
)
def test_what_is_cut_off_is_read_to_its_last_good_frame(
    tmp_path: Path, ending: str, options: dict[str, str], decoders: int
) -> None:
    """A file that ends in the middle of a frame brings all whole frames before it."""
    video = write_noise(tmp_path / f"clip.{ending}", 50, {"crf": "10", "bf": "0"}, container_options=options)
    content = video.read_bytes()
    video.write_bytes(content[: len(content) // 2])
    read = list(open_source(str(video), decoders).frames())
    assert numbers_in(read) == list(range(len(read)))
    assert 20 <= len(read) <= 30


def test_a_size_that_changes_is_followed(tmp_path: Path) -> None:
    """A stream whose pictures change their size midway goes on with the new one."""
    whole = b"".join(
        write_video(tmp_path / f"{side}.h264", [frame_of(noise(0, side, side))] * 5).read_bytes()
        for side in (48, 96)
    )
    (tmp_path / "both.h264").write_bytes(whole)
    sides = [frame.picture.bgr().shape[:2] for frame in open_source(str(tmp_path / "both.h264")).frames()]
    assert sides == [(48, 48)] * 5 + [(96, 96)] * 5


def test_a_look_at_a_video_says_what_it_is(tmp_path: Path) -> None:
    """Size, codec, colours and whether it is upright; a look leaves nothing open."""
    video = tmp_path / "a.mp4"
    write_noise(video, 3)
    assert outline_of(str(video)) == Outline((64, 48), "h264", is_bt601=True, is_upright=True)
    assert open_handles(video) == 0
    with pytest.raises(InputProblem, match="no such file"):
        outline_of(str(tmp_path / "b.mp4"))
    with pytest.raises(InputProblem, match="no video is read by"):
        outline_of("gopher://camera/1")


def test_a_folder_is_read_by_its_names(tmp_path: Path, write_image: Callable[..., Path]) -> None:
    """The images of a folder come in the order of their names; one that is broken is counted and left out."""
    for seed, name in enumerate(("b.png", "a.jpg", "d.PNG")):
        write_image(tmp_path / name, seed)
    (tmp_path / "c.png").write_bytes(b"no image")
    (tmp_path / "notes.txt").write_text("not looked at")
    source = open_source(str(tmp_path))
    read = list(source.frames())
    assert [(frame.number, frame.name, frame.time_s) for frame in read] == [
        (0, "a.jpg", 0.0),
        (1, "b.png", 0.0),
        (3, "d.PNG", 0.0),
    ]
    assert source.counts.corrupt == 1
    assert read[1].picture.bgr().shape == (24, 32, 3)


def test_transparent_images_of_a_folder(tmp_path: Path) -> None:
    """A folder's images are laid over what the network wants; what a Mac leaves beside them is none."""
    assert cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 6, 4), np.uint8))
    (tmp_path / "._a.png").write_bytes(b"not looked at")
    for background, value in (("black", 0), ("white", 255)):
        source = open_source(str(tmp_path), background=background)
        (frame,) = source.frames()
        assert (frame.picture.bgr() == value).all()
        assert source.counts.corrupt == 0


def refused(address: str) -> InputProblem:
    with pytest.raises(InputProblem) as caught:
        open_source(address)
    return caught.value


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    """What is missing, empty, no video or without pictures is told in a sentence, with what to do."""
    write_noise(tmp_path / "clip.mp4", 3)
    (tmp_path / "text.mp4").write_text("hello")
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "images").mkdir()
    with av.open(str(tmp_path / "sound.mkv"), "w") as container:
        sound: Any = container.add_stream("pcm_s16le", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        silence.sample_rate = 8000
        container.mux([*sound.encode(silence), *sound.encode()])
    assert "did you mean 'clip.mp4'" in refused(str(tmp_path / "clp.mp4")).advice
    assert "cannot be read as a video" in refused(str(tmp_path / "text.mp4")).what
    assert "cannot be read as a video" in refused(str(tmp_path / "empty.mp4")).what
    assert "no picture in it" in refused(str(tmp_path / "sound.mkv")).what
    assert "no image in the folder" in refused(str(tmp_path / "images")).what


def test_an_mp4_without_its_index_is_told(tmp_path: Path) -> None:
    """An MP4 that was cut off while it was recorded is refused with how to record one that can be."""
    video = write_noise(tmp_path / "clip.mp4", 20)
    video.write_bytes(video.read_bytes()[:20000])
    assert "record as .mkv or .ts" in refused(str(video)).advice


def test_an_absurd_size_is_refused(tmp_path: Path) -> None:
    """Frames of more than 16384 pixels a side are refused before one is decoded."""
    video = write_video(
        tmp_path / "wide.avi",
        [av.VideoFrame.from_ndarray(np.zeros((2, MAX_SIDE + 2, 3), np.uint8), format="bgr24")],
        codec="rawvideo",
        options={},
    )
    assert f"more than {MAX_SIDE} a side" in refused(str(video)).what


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile 'secret.ts'\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nsecret.ts\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:9/secret.ts\n#EXT-X-ENDLIST\n",
    ],
)
@pytest.mark.parametrize("name", ["clip.mp4", "clip.m3u8"])
def test_a_list_of_files_is_no_video(tmp_path: Path, text: str, name: str) -> None:
    """A file that lists others, whatever its name, has none of them opened."""
    write_noise(tmp_path / "secret.ts", 5)
    (tmp_path / name).write_text(text)
    assert "cannot be read as a video" in refused(str(tmp_path / name)).what


def test_a_files_name_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that FFmpeg would take for a protocol, or for a pattern of names, is a file's name."""
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a.ts", "frame-%d.ts", "data:x"):
        os.rename(write_noise(tmp_path / "a.ts", 5), name)
        assert len(list(open_source(name).frames())) == 5


@pytest.mark.parametrize(
    "address", ["file:///etc/hostname", "concat://a", "rstp://camera/gate", "subfile://x"]
)
def test_only_what_sends_video_is_an_address(address: str) -> None:
    """An address of any other kind is refused, with the kinds that there are."""
    assert "rtsp" in refused(address).advice


def open_handles(path: Path) -> int:
    """How many of this process's open files are this one."""
    links = (one for one in Path("/proc/self/fd").iterdir() if one.is_symlink())
    return sum(os.path.realpath(link) == str(path) for link in links)


def test_a_video_can_be_closed_by_any_thread(tmp_path: Path) -> None:
    """Closed while another thread reads it, a video ends there, and its file is closed."""
    video = write_noise(tmp_path / "clip.ts", 40)
    for at in range(0, 40, 3):
        source = open_source(str(video), 2)
        read: list[Frame] = []
        has_begun = threading.Event()

        def reading(frames: Iterator[Frame], read: list[Frame] = read, begun: Any = has_begun) -> None:
            for frame in frames:
                read.append(frame)
                if frame.number == at:  # noqa: B023
                    begun.set()

        thread = threading.Thread(target=reading, args=(source.frames(),))
        thread.start()
        has_begun.wait(10)
        source.close()
        thread.join(10)
        assert not thread.is_alive()
        assert open_handles(video) == 0
        source.close()
        assert read[at].picture.bgr().shape == (48, 64, 3), "a frame outlives its source"


def test_a_video_that_is_not_read_on_is_closed(tmp_path: Path) -> None:
    """A reader that stops midway leaves no file open once the source is closed, and gets no more frames."""
    video = write_noise(tmp_path / "clip.mkv", 20)
    source = open_source(str(video))
    frames = source.frames()
    next(frames)
    assert open_handles(video) == 1
    source.close()
    assert open_handles(video) == 0
    assert list(frames) == []
