"""The stages of a stream on a real video, its networks being fakes."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import Any

import av
import cv2
import numpy as np
import pytest

from shared.contract.artifact import MANIFEST_FILE, Manifest
from shared.contract.clips import find_clip, read_truth, write_truth
from shared.contract.codec import decode, encode
from shared.contract.dataset import MAX_SIDE
from shared.contract.errors import InputProblem, JobFailed
from shared.contract.job import END, GO, READING_KEY
from shared.contract.measurement import ObjectCounts, Throughput, sum_of_counts
from shared.contract.model import EVERY, Network, PipelineNode
from shared.contract.result import Status
from shared.contract.stages import (
    NetworkFiles,
    PipelineFiles,
    StreamBenchmark,
    StreamConfigure,
    StreamEvaluate,
    StreamFiles,
    StreamRead,
)
from shared.contract.streaming import (
    REFERENCE_READINGS,
    FrameReading,
    StreamSettings,
    StreamTotals,
    Tracking,
    TrueFrame,
    TrueObject,
)
from shared.harness.clip_runner import EndlessVideo
from shared.harness.stream_reading import read_sources
from shared.harness.stream_settings import Runner, find_settings
from shared.harness.stream_stages import NO_INDEX, benchmark_stream, configure, evaluate_stream
from shared.harness.stream_work import StreamWork
from shared.harness.toolchain import Capabilities
from shared.inference.session import Session, Unsupported
from tests.fakes import FakeSession
from tests.unit.test_pipeline import BOX, READ, TEXT, found, network

FRAMES = 30
NODES = (PipelineNode("detector", "finder"), PipelineNode("reader", "teller", "detector"))
FINDER = replace(network(BOX), name="finder")
TELLER = replace(network(TEXT), name="teller")


class Fakes:
    """A toolchain without a loader for several threads: networks that find a box and read AB."""

    def load(self, network: Network, artifact: Path, manifest: Manifest, threads: int) -> Session:
        answer = found(2, 3, 12, 9) if network.name == "finder" else READ
        return FakeSession(answer, network.input)


@pytest.fixture
def work(tmp_path: Path) -> StreamWork:
    """A job's folder with a video of 30 frames and two artifacts."""
    clip = tmp_path / "inputs" / "data" / "clip"
    clip.mkdir(parents=True)
    with av.open(str(clip / "clip.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(FRAMES):
            pixels = np.full((48, 64, 3), 8 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="bgr24")))
        container.mux(stream.encode())
    for one in (FINDER, TELLER):
        folder = tmp_path / "inputs" / one.name
        folder.mkdir()
        manifest = Manifest("fake", "fakes", "1", one.input)
        (folder / MANIFEST_FILE).write_text(json.dumps(encode(manifest)))
    (tmp_path / "outputs").mkdir()
    loader = Fakes()
    capabilities = Capabilities(dict, loader)

    def load(files: NetworkFiles) -> Session:
        return loader.load(files.network, tmp_path, Manifest("f", "t", "1", files.network.input), 1)

    return StreamWork(capabilities, tmp_path, tmp_path / "outputs", 2, load)


def files(**changes: Any) -> StreamFiles:
    pipeline = PipelineFiles(
        NODES, (NetworkFiles(FINDER, "inputs/finder"), NetworkFiles(TELLER, "inputs/teller"))
    )
    given = {"pipeline": pipeline, "tracking": Tracking(), **changes}
    return StreamFiles(clip="inputs/data/clip", **given)


def with_settings(work: StreamWork, settings: StreamSettings) -> str:
    folder = work.folder / "inputs" / "settings"
    folder.mkdir()
    (folder / "stream.json").write_text(json.dumps(encode(settings)))
    return "inputs/settings"


def test_settings_are_found_and_kept(work: StreamWork) -> None:
    result = configure(work, StreamConfigure(files(), 1))
    kept = decode(StreamSettings, json.loads((work.output / "stream.json").read_text()))
    assert result.status == Status.DONE
    tried, bounds = result.notes.tables
    assert [row for row in tried.rows if row[3] == "chosen"]
    assert (kept.batch, kept.folds) == (1, False), "the fakes can neither"
    assert [row[0] for row in bounds.rows] == ["the stream", "decoding alone", "the networks alone"]


def test_quality_is_of_each_frame_and_says_that_both_ways_agree(work: StreamWork) -> None:
    clip = find_clip(work.folder / "inputs/data/clip")
    # The box of the detector's input, 32x24, in the video's 64x48 pixels.
    right = [TrueFrame(n, (TrueObject((4, 6, 24, 18), "AB"),)) for n in range(FRAMES - 3)]
    write_truth(clip.video.with_name("clip.truth.jsonl"), right)
    settings = with_settings(work, StreamSettings(workers=3))
    result = evaluate_stream(work, StreamEvaluate(files(), settings))
    assert result.quality is not None
    assert len(result.quality.samples) == FRAMES
    assert result.quality.metrics["exact"] == pytest.approx(27 / 30)
    assert result.notes.remarks == ("parity: in all 30 frames it read what the sequential pipeline reads",)
    assert isinstance(result.measurement, Throughput)
    assert result.measurement.frames == FRAMES


def test_a_pipeline_of_every_object_counts_those_of_all_frames(work: StreamWork) -> None:
    """27 frames have what was found, and 9 of them an object more: 27 right of 30 found and 36 true."""
    clip = find_clip(work.folder / "inputs/data/clip")
    seen, missed = TrueObject((4, 6, 24, 18), "AB"), TrueObject((40, 30, 60, 40), "BA")
    true = [TrueFrame(n, (seen, missed) if n < 9 else (seen,)) for n in range(FRAMES - 3)]
    write_truth(clip.video.with_name("clip.truth.jsonl"), true)
    pipeline = replace(files().pipeline, nodes=(replace(NODES[0], objects=EVERY), NODES[1]))
    result = evaluate_stream(work, StreamEvaluate(files(pipeline=pipeline)))
    assert result.quality is not None
    shares = {"exact": 54 / 66, "precision": 27 / 30, "recall": 27 / 36}
    assert result.quality.metrics == pytest.approx(shares)
    assert sum_of_counts(result.quality.counts) == ObjectCounts(right=27, missed=9, invented=3)


def test_without_a_truth_the_references_readings_are_true(work: StreamWork) -> None:
    reference = evaluate_stream(work, StreamEvaluate(files(frames=10), None, None, is_reference=True))
    assert reference.status == Status.DONE
    left = read_truth(work.output / REFERENCE_READINGS)
    assert len(left) == 10
    changed = {**left, 3: TrueFrame(3, (replace(left[3].objects[0], text="BA"),))}
    write_truth(work.folder / "inputs" / REFERENCE_READINGS, changed.values())
    truth = f"inputs/{REFERENCE_READINGS}"
    result = evaluate_stream(
        work, StreamEvaluate(files(frames=10), with_settings(work, StreamSettings()), truth)
    )
    assert result.quality is not None
    assert result.quality.metrics["exact"] == pytest.approx(0.9)


def test_a_reference_that_reads_next_to_nothing_is_refused(work: StreamWork) -> None:
    clip = find_clip(work.folder / "inputs/data/clip")
    wrong = [TrueFrame(n, (TrueObject((4, 6, 24, 18), "XX"),)) for n in range(FRAMES)]
    write_truth(clip.video.with_name("clip.truth.jsonl"), wrong)
    result = evaluate_stream(work, StreamEvaluate(files(), is_reference=True))
    assert result.status == Status.FAILED
    assert "exact 0.0000 on the 30 frames" in result.reason


def words(*given: signal.Signals) -> Any:
    left: Iterator[signal.Signals] = iter(given)
    return lambda done: next(left)


@pytest.mark.parametrize("settings", [None, StreamSettings(workers=2)])
def test_a_burst_for_each_word(work: StreamWork, settings: StreamSettings | None) -> None:
    place = None if settings is None else with_settings(work, settings)
    parameters = StreamBenchmark(files(), 2, 0.05, place)
    result = benchmark_stream(work, parameters, words(GO, GO, GO, END))
    measured = result.measurement
    assert isinstance(measured, Throughput)
    assert len(measured.bursts) == 3
    assert all(burst.frames > 0 and burst.seconds >= 0.05 for burst in measured.bursts)
    assert sum(burst.frames for burst in measured.bursts) == len(measured.latency_ns)
    assert {"decode", "colour", "detector", "reader"} <= set(measured.steps_ns)
    assert result.settings["stream"] == ({"one_by_one": True} if settings is None else encode(settings))


def test_no_burst_is_no_measurement(work: StreamWork) -> None:
    with pytest.raises(JobFailed):
        benchmark_stream(work, StreamBenchmark(files(), 1, 0.05), words(END))


def test_sources_are_read_line_by_line(work: StreamWork, capsys: pytest.CaptureFixture[str]) -> None:
    video = "inputs/data/clip/clip.mp4"
    parameters = StreamRead(files().pipeline, (video, video), Tracking(), None)
    result = read_sources(work, parameters)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if READING_KEY in line]
    readings = [decode(FrameReading, line[READING_KEY]) for line in lines]
    assert len(readings) == 2 * FRAMES
    assert {one.source for one in readings} == {video, f"{video} (2)"}, "their lines can be told apart"
    assert all(one.objects[0].answers["reader"].text == "AB" for one in readings)
    assert result.notes.details["frames"] == 2 * FRAMES
    assert result.notes.details["p99_ms"] >= result.notes.details["latency_ms"] > 0


def test_a_source_that_breaks_off_does_not_end_the_others(
    work: StreamWork, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are read to their ends; then the broken one is told."""
    sides = ((48, 64), (16, MAX_SIDE + 16))
    pictures = [cv2.imencode(".jpg", np.zeros((*side, 3), np.uint8))[1].tobytes() for side in sides]
    (work.folder / "inputs" / "bad.mjpg").write_bytes(b"".join(pictures))
    parameters = StreamRead(
        files().pipeline, ("inputs/bad.mjpg", "inputs/data/clip/clip.mp4"), Tracking(), None
    )
    with pytest.raises(InputProblem, match="bad"):
        read_sources(work, parameters)
    lines = [line for line in capsys.readouterr().out.splitlines() if READING_KEY in line]
    assert len([line for line in lines if "clip.mp4" in line]) == FRAMES
    assert len([line for line in lines if "bad.mjpg" in line]) == 1


def test_the_hosts_last_word_ends_a_stream(work: StreamWork, capsys: pytest.CaptureFixture[str]) -> None:
    """What was taken of the sources is told, and the summary left."""
    words_left = iter((False, False, True))

    def word() -> bool:
        sleep(0.2)
        return next(words_left)

    sources = ("inputs/data/clip/clip.mp4",) * 200
    result = read_sources(work, StreamRead(files().pipeline, sources, Tracking(), None), word)
    lines = [line for line in capsys.readouterr().out.splitlines() if READING_KEY in line]
    assert result.notes.details["frames"] == len(lines)
    assert 0 < len(lines) < 200 * FRAMES


@pytest.mark.parametrize("decoders", [1, 2])
def test_a_burst_begins_where_its_number_says(work: StreamWork, decoders: int) -> None:
    """Streams that are compared read the same frames, however far the ones before have come."""
    video = EndlessVideo(work.video("inputs/data/clip"), decoders)
    for place, first in ((0, 1), (1, 20), (2, 9), (1, 20), (3, 27), (0, 1)):
        video.begin(place)
        level = video.next().picture.bgr().mean()
        assert round(level / 8) == first
    assert video.has_index
    video.close()


def test_a_video_without_an_index_is_read_from_its_beginning(work: StreamWork) -> None:
    clip = find_clip(work.folder / "inputs/data/clip").video
    raw = clip.with_suffix(".h264")
    with av.open(str(clip)) as source, av.open(str(raw), "w", format="h264") as target:
        copy = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            packet.stream = copy
            if packet.dts is not None:
                target.mux(packet)
    clip.unlink()
    result = benchmark_stream(work, StreamBenchmark(files(), 2, 0.05), words(GO, GO, END))
    assert NO_INDEX in result.notes.remarks
    assert isinstance(result.measurement, Throughput)


class Paced:
    """A stream that has so many frames a second, by its settings."""

    def __init__(self, settings: StreamSettings, speeds: dict[StreamSettings, float]) -> None:
        if settings.batch > 1:
            raise Unsupported("no batches")
        self._fps = speeds.get(settings, 10.0)
        self.is_closed = False

    def burst(self, seconds: float, place: int) -> StreamTotals:
        return StreamTotals(frames=round(100 * self._fps), seconds=100.0)

    def close(self) -> None:
        self.is_closed = True


def test_a_search_keeps_what_is_faster_and_closes_the_rest() -> None:
    speeds = {
        StreamSettings(workers=3): 12.0,
        StreamSettings(workers=4): 12.1,
        StreamSettings(workers=3, decoders=2): 15.0,
    }
    loaded: list[Paced] = []

    def load(settings: StreamSettings) -> Runner:
        loaded.append(Paced(settings, speeds))
        return loaded[-1]

    result = find_settings(load, 2, 60)
    assert result.settings == StreamSettings(workers=3, decoders=2)
    assert result.is_whole
    assert all(runner.is_closed for runner in loaded)
    assert len({trial.settings for trial in result.trials}) == len(result.trials)
    assert {trial.reason for trial in result.trials if trial.settings.batch > 1} == {"no batches"}


def test_a_search_without_time_says_so() -> None:
    result = find_settings(lambda settings: Paced(settings, {}), 2, 0)
    assert result.settings == StreamSettings(workers=2)
    assert not result.is_whole
