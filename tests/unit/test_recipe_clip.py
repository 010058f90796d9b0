"""The video of a recipe with `stream` is found, looked into, and given to the jobs that read it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from dockyard.plan.plan import ClipInput, Plan
from dockyard.recipe.models import load_model
from dockyard.recipe.workspace import Workspace
from dockyard.run import datasets, job_folder
from dockyard.run.datasets import DataSet
from shared.contract.clips import find_clip
from shared.contract.errors import InputProblem
from shared.contract.model import DataLocation, Pipeline, PipelineNode
from shared.contract.recipe import Stream


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A video of ten frames."""
    path = tmp_path_factory.mktemp("video") / "x.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for grey in range(0, 250, 25):
            picture = np.full((48, 64, 3), grey, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path.read_bytes()


@pytest.fixture
def plan(digits_plan: Plan, video: bytes) -> Plan:
    """A plan of a pipeline of the example's network, `both`, whose recipe reads `videos/gate.mp4`."""
    root = digits_plan.workspace.root
    (root / "videos").mkdir()
    (root / "videos" / "gate.mp4").write_bytes(video)
    pipeline = Pipeline("both", "", (PipelineNode("read", "digits"),), DataLocation(folder="data"))
    recipe = replace(digits_plan.recipe, model="both", stream=Stream("videos/gate.mp4"))
    return replace(digits_plan, pipeline=pipeline, recipe=recipe)


def prepared(plan: Plan) -> DataSet:
    return datasets.prepare(plan, lambda *_: None)["both"]


def naming(plan: Plan, clip: str | None) -> Plan:
    return replace(plan, recipe=replace(plan.recipe, stream=Stream(clip)))


def say(plan: Plan, *texts: str) -> Path:
    """Write what is true of the video's first frame."""
    things = [{"box": [1, 2, 30, 40], "text": text} for text in texts]
    path = plan.workspace.root / "videos" / "gate.truth.jsonl"
    path.write_text(json.dumps({"frame": 0, "objects": things}) + "\n")
    return path


def test_the_recipes_video_is_taken(plan: Plan) -> None:
    """A user's file is taken with the truth beside it; the pipeline's test split is not looked for."""
    found = prepared(plan)
    assert plan.splits_of("both") == ()
    assert found.clip is not None
    assert (found.clip.video, found.clip.truth) == (plan.workspace.root / "videos" / "gate.mp4", None)
    assert dict(found.digests) == {"clip": found.clip.digest}
    truth = say(plan, "3")
    again = prepared(plan).clip
    assert again is not None
    assert again.truth == truth


def test_the_digest_follows_the_video_and_what_is_true(plan: Plan) -> None:
    """It changes when either does, and only then."""
    digests = [prepared(plan).digests["clip"], prepared(plan).digests["clip"]]
    assert len(set(digests)) == 1
    for text in ("3", "4"):
        say(plan, text)
        digests.append(prepared(plan).digests["clip"])
    with (plan.workspace.root / "videos" / "gate.mp4").open("ab") as file:
        file.write(b"\0\0\0\x08free")
    digests.append(prepared(plan).digests["clip"])
    assert len(set(digests)) == 4


def test_the_pipelines_own_video(plan: Plan, video: bytes) -> None:
    """Without one of the recipe's, that of the pipeline is taken: here a folder beside its model.json."""
    folder = plan.workspace.root / "models" / "both"
    (folder / "street").mkdir(parents=True)
    (folder / "model.json").write_text("{}")
    (folder / "street" / "s.mp4").write_bytes(video)
    assert plan.pipeline is not None
    own = replace(plan.pipeline, clip=DataLocation(folder="street"))
    found = prepared(replace(naming(plan, None), pipeline=own))
    assert found.folder == folder / "street"
    outside = replace(plan.pipeline, clip=DataLocation(folder="../../videos"))
    with pytest.raises(InputProblem, match="leaves the model's folder") as caught:
        prepared(replace(naming(plan, None), pipeline=outside))
    assert caught.value.where.endswith("models/both/model.json: $.clip.folder")


def test_the_licence_plates_video_is_generated(workspace: Workspace) -> None:
    """The published pipeline has a clip that its generator makes."""
    pipeline = load_model(workspace, "license_plate", "test")
    assert isinstance(pipeline, Pipeline)
    assert pipeline.clip == DataLocation("license_plate_clip", "clip")


@pytest.mark.parametrize(
    ("clip", "message", "advice"),
    [
        (None, "neither the recipe nor both has a video", "$.stream.clip"),
        ("videos/gaet.mp4", "there is no file 'videos/gaet.mp4'", "did you mean 'videos/gate.mp4'?"),
        ("nowhere/gate.mp4", "there is no file", "valid: none"),
        ("videos", "there is no file", ""),
        ("../gate.mp4", "leaves the workspace", "below"),
        ("/etc/passwd", "leaves the workspace", "below"),
        ("models/../recipes/notes.txt", "is no video by its name", ".mp4"),
        ("a\0b.mp4", "no path", ""),
    ],
)
def test_a_video_that_is_not_there(plan: Plan, clip: str | None, message: str, advice: str) -> None:
    """What the recipe names is refused where it is written, with what to do."""
    (plan.workspace.root / "recipes" / "notes.txt").write_text("notes")
    with pytest.raises(InputProblem) as caught:
        prepared(naming(plan, clip))
    assert message in caught.value.what
    assert advice in caught.value.advice
    assert "$.stream" in caught.value.where
    assert len(str(caught.value).splitlines()) <= 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no video",
        b"#EXTM3U\n#EXTINF:1,\nother.mp4\n",
        b"ffconcat version 1.0\nfile other.mp4\n",
        b"\0\0\0\x20ftypisom",
        b"RIFF\0\0\0\0AVI LIST",
        b"\0\0\0\1\x67\x42\0\x1e",
    ],
)
def test_a_file_that_is_no_video(plan: Plan, video: bytes, content: bytes) -> None:
    """What cannot be decoded is refused; a playlist too, though the file that it names could be."""
    (plan.workspace.root / "videos" / "other.mp4").write_bytes(video)
    (plan.workspace.root / "videos" / "gate.mp4").write_bytes(content)
    with pytest.raises(InputProblem, match="video") as caught:
        prepared(plan)
    assert caught.value.where == "videos/gate.mp4"


def test_a_truncated_video_is_refused(plan: Plan, video: bytes) -> None:
    """Half of an MP4 file, without its index, is said to be none."""
    (plan.workspace.root / "videos" / "gate.mp4").write_bytes(video[: len(video) // 2])
    with pytest.raises(InputProblem, match="no video that can be read"):
        prepared(plan)


def test_truth_that_no_answer_matches(plan: Plan) -> None:
    """Texts that the network cannot answer are refused with their frame, and so are bad lines."""
    path = say(plan, "3", "three")
    with pytest.raises(InputProblem, match=r"1 of 2 labels are .* 'three' \(frame") as caught:
        prepared(plan)
    assert caught.value.where == "videos/gate.truth.jsonl"
    path.write_text("{")
    with pytest.raises(InputProblem, match="not JSON") as caught:
        prepared(plan)
    assert caught.value.where.endswith("gate.truth.jsonl:1")


def test_a_job_is_given_the_clip(plan: Plan, tmp_path: Path) -> None:
    """It finds the video under one name, whatever the user's file is called, with what is true of it."""
    truth = say(plan, "3")
    data = datasets.prepare(plan, lambda *_: None)
    job = replace(plan.jobs[0], inputs={"data/clip": ClipInput("both")})
    job_folder.fill(plan, job, data, {}, tmp_path)
    clip = find_clip(tmp_path / "inputs" / "data" / "clip")
    assert clip.video.name == "clip.mp4"
    assert clip.truth is not None
    assert clip.truth.read_bytes() == truth.read_bytes()
