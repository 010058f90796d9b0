"""The delivered HTTP service: what it answers, what it refuses and with which status, and how it ends."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.errors import InputProblem
from shared.serving.http.access import ApiKey, read_key
from shared.serving.http.limits import Limits
from tests.deliveries import ANSWERS, HEIGHT, MARKS, NAMES, WIDTH, delivery_of, image_of, pipeline_of
from tests.http_services import Served, serving
from tests.unit.test_image_size import IMAGES, png_header

COUNT = HEIGHT * WIDTH * 3
SHAPE = [1, HEIGHT, WIDTH, 3]
INFER = "/v2/models/reads/infer"
LENGTH = "Inference-Header-Content-Length"
KEY = "a key that nobody guesses".replace(" ", "-")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A pipeline, served with small limits."""
    limits = Limits(body_bytes=100_000, pixels=1_000_000, timeout_s=20)
    with serving(pipeline_of(tmp_path_factory.mktemp("delivery")), limits, workers=2) as found:
        yield found


def request_of(value: float = 200.0, **changes: Any) -> dict[str, Any]:
    """A request to the reader, of an input that has one value."""
    given = {"name": "image", "datatype": "FP32", "shape": SHAPE, "data": [value] * COUNT}
    return {"inputs": [{**given, **changes}]}


def test_health_and_metadata(served: Served) -> None:
    """It is live and ready, and describes itself and each network's tensors."""
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/reads/ready"):
        assert served.client.get(path).status_code == 200
    assert served.client.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    assert served.client.get("/v2/models/reads").json() == {
        "name": "reads",
        "platform": "fake 1",
        "inputs": [{"name": "image", "datatype": "FP32", "shape": SHAPE}],
        "outputs": [
            {"name": "s", "datatype": "FP32", "shape": [1, 2, 3]},
            {"name": "c", "datatype": "FP32", "shape": [1, 2]},
        ],
    }


def test_inference_with_json(served: Served) -> None:
    """Flat and nested data give the same; outputs come as they are asked for, with the request's id."""
    flat = served.client.post(INFER, json={**request_of(), "id": "seven"}).json()
    nested = np.full(SHAPE, 200.0).tolist()
    assert served.client.post(INFER, json=request_of(data=nested)).json()["outputs"] == flat["outputs"]
    assert (flat["id"], flat["model_name"]) == ("seven", "reads")
    assert [output["name"] for output in flat["outputs"]] == ["s", "c"]
    assert flat["outputs"][1]["data"] == pytest.approx([0.3, 0.7])
    one = served.client.post(INFER, json={**request_of(), "outputs": [{"name": "c"}]}).json()
    assert [output["name"] for output in one["outputs"]] == ["c"]


def binary_request(values: bytes, **document: Any) -> tuple[bytes, dict[str, str]]:
    """A request with its input's bytes behind the JSON, and its headers."""
    given = {"name": "image", "datatype": "FP32", "shape": SHAPE}
    text = json.dumps(
        {"inputs": [{**given, "parameters": {"binary_data_size": len(values)}}], **document}
    ).encode()
    return text + values, {LENGTH: str(len(text))}


def test_inference_with_bytes(served: Served) -> None:
    """The binary extension takes and gives the same values as JSON does."""
    values = np.full(SHAPE, 200, "<f4").tobytes()
    body, headers = binary_request(values, parameters={"binary_data_output": True})
    answer = served.client.post(INFER, content=body, headers=headers)
    length = int(answer.headers[LENGTH])
    document = json.loads(answer.content[:length])
    sizes = [output["parameters"]["binary_data_size"] for output in document["outputs"]]
    assert (sizes, len(answer.content) - length) == ([24, 8], 32)
    assert np.frombuffer(answer.content[-8:], "<f4").tolist() == pytest.approx([0.3, 0.7])
    body, headers = binary_request(values, outputs=[{"name": "s"}])
    plain = served.client.post(INFER, content=body, headers=headers).json()
    assert plain["outputs"][0]["data"] == pytest.approx([0.9, 0.05, 0.05, 0.1, 0.8, 0.1])


def test_an_image_is_read(served: Served) -> None:
    """An image's body, and a form with a file, give what the command line gives."""
    image = image_of(200)
    plain = served.client.post("/v1/read", content=image, headers={"Content-Type": "image/png"}).json()
    form = served.client.post("/v1/read", data={"more": "x"}, files={"any": ("x.png", image)}).json()
    assert plain["found"] == form["found"]
    assert plain["found"][0]["text"] == "AB"
    assert (plain["model"], plain["width"], plain["height"]) == ("reads", WIDTH, HEIGHT)
    assert served.client.post("/v1/read", content=image_of(0)).json()["found"] == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "other"}, "the input is named otherwise than 'image'"),
        ({"datatype": "UINT8"}, "'image' is FP32, and nothing else"),
        ({"shape": [1, 2, 3, 4]}, f"'image' has the shape {SHAPE}, and no other"),
        ({"shape": "x"}, "'image' has the shape"),
        ({"data": [1.0]}, f"'image' has 1 numbers, its shape {COUNT}"),
        ({"data": [1.0] * (COUNT + 1)}, "'image' has no list of"),
        ({"data": None}, "'image' has no list of"),
        ({"data": ["x"] * COUNT}, "no list of numbers"),
        ({"data": [True] * COUNT}, "no list of numbers"),
        ({"data": [[1.0] * COUNT, 2]}, "not nested as its shape is"),
        ({"data": [1e39] * COUNT}, "numbers that FP32 does not have"),
        ({"data": [10**400] + [0] * (COUNT - 1)}, "numbers that FP32 does not have"),
        ({"parameters": 3}, "'parameters' is no JSON object"),
        ({"parameters": {"binary_data_size": 3}}, "needs the header"),
    ],
)
def test_inputs_that_are_wrong(served: Served, changes: dict[str, Any], sentence: str) -> None:
    """What is wrong with an input is said in a sentence, with 400."""
    answer = served.client.post(INFER, json=request_of(**changes))
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{", "no JSON"),
        (b"\xff", "no JSON"),
        (b"NaN", "no JSON"),
        (b"[" * 90_000, "no JSON"),
        (b"[]", "the body is no JSON object"),
        (b"{}", "'inputs' is no list"),
        (b'{"inputs": [1, 2]}', "'inputs' is no list"),
        (b'{"inputs": [1]}', "the input is no JSON object"),
        (b'{"inputs": [{}], "id": 3}', "'id' is no text"),
    ],
)
def test_bodies_that_are_wrong(served: Served, body: bytes, sentence: str) -> None:
    """What is no request is said in a sentence, with 400."""
    answer = served.client.post(INFER, content=body)
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"outputs": [{"name": "x"}]}, "an output is none of s, c"),
        ({"outputs": []}, "'outputs' is no list of 1 to 2"),
        ({"outputs": [{"name": "c", "parameters": {"binary_data": 1}}]}, "neither true nor false"),
        ({"parameters": {"binary_data_output": "yes"}}, "neither true nor false"),
    ],
)
def test_outputs_that_are_wrong(served: Served, document: dict[str, Any], sentence: str) -> None:
    """An output that there is not, or is asked for in no way that there is, is refused with 400."""
    answer = served.client.post(INFER, json={**request_of(), **document})
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]


@pytest.mark.parametrize("length", ["-1", "x", "99999999", "9" * 5000, "", "²"])
def test_a_length_that_is_none(served: Served, length: str) -> None:
    """The extension's header is a number of bytes that there are."""
    headers = {LENGTH: length.encode("latin-1")}
    assert served.client.post(INFER, content=b"{}", headers=headers).status_code == 400


def test_bytes_that_are_too_few(served: Served) -> None:
    """Bytes that are not as many as the shape says are refused, also where the JSON agrees with them."""
    body, headers = binary_request(b"1234")
    answer = served.client.post(INFER, content=body, headers=headers)
    assert (answer.status_code, "4 bytes, its shape" in answer.json()["error"]) == (400, True)
    answer = served.client.post(INFER, content=body + b"5", headers=headers)
    assert (answer.status_code, "is not 5" in answer.json()["error"]) == (400, True)


def test_what_is_not_there(served: Served) -> None:
    """An unknown model and an unknown path are 404, another method 405, all with a sentence."""
    for method, path, status in (
        ("POST", "/v2/models/none/infer", 404),
        ("GET", "/v2/models/..%2F..%2Fetc", 404),
        ("GET", "/nothing", 404),
        ("GET", "/v1/read", 405),
    ):
        answer = served.client.request(method, path)
        assert (answer.status_code, list(answer.json())) == (status, ["error"])


def test_bodies_that_are_too_long(served: Served) -> None:
    """413, by the header or, where there is none, as soon as it is too long; the service goes on."""
    for path in ("/v1/read", INFER):
        assert served.client.post(path, content=bytes(100_001)).status_code == 413
        assert served.client.post(path, content=iter([bytes(50_000)] * 3)).status_code == 413
    assert served.client.post("/v1/read", content=iter([image_of(200)])).status_code == 200


def test_a_body_of_two_gigabytes(served: Served) -> None:
    """413 by its header alone: nothing of it is waited for."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        connection.sendall(b"POST /v1/read HTTP/1.1\r\nHost: x\r\nContent-Length: 2147483648\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def gif(screen: tuple[int, int], frame: tuple[int, int], count: int) -> bytes:
    """A GIF of so many frames of a pixel's data; sizes are width and height, as its headers say them."""
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    one = b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\2\2\x4c\1\0"
    return head + one * count + b";"


def test_a_gif_that_unpacks_to_more_than_it_says(served: Served) -> None:
    """A screen that is too large, a frame larger than its screen, thousands of frames: none takes the service
    along, and of an animation the first picture is read.
    """
    bombs = (
        gif((60_000, 60_000), (1, 1), 1),
        gif((1, 1), (60_000, 60_000), 1),
        gif((999, 999), (999, 999), 5000),
    )
    before = psutil.Process().memory_info().rss
    for bomb in bombs:
        answer = served.client.post("/v1/read", content=bomb)
        assert (answer.status_code, "error" in answer.json()) == (422, True)
    assert psutil.Process().memory_info().rss - before < 100e6
    assert served.client.post("/v1/read", content=gif((1, 1), (1, 1), 5000)).status_code == 200


def test_json_that_is_longer_than_its_input(tmp_path: Path) -> None:
    """JSON that no input of the network needs is 413 before it is parsed; bytes may be as long as a body."""
    with serving(pipeline_of(tmp_path)) as served:
        assert (
            served.client.post(INFER, content=b'{"inputs":[' + b"[]," * 100_000 + b"[]]}").status_code == 413
        )


def test_an_encoding_is_not_taken(served: Served) -> None:
    """A body that says to be compressed is 415: what it unpacks to is not known."""
    answer = served.client.post("/v1/read", content=b"x", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "no image"),
        (b"plain text", "no image"),
        (png_header(60_000, 60_000), "60000x60000"),
        (png_header(20_000, 2), "20000x2"),
        (png_header(10, 10), "damaged"),
        (image_of(200)[:60], "damaged"),
    ],
)
def test_images_that_are_not_read(served: Served, body: bytes, sentence: str) -> None:
    """What is no image, damaged, or says to be too large is 422, before anything is decoded."""
    answer = served.client.post("/v1/read", content=body)
    assert (answer.status_code, sentence in answer.json()["error"]) == (422, True)


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=b", b"x", 400),
        ("multipart/form-data; boundary=" + "b" * 300, b"x", 400),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n", 400),
        ("multipart/form-data; boundary=b", b"--b\r\nA: b\r\n\r\n\r\n" * 20 + b"--b--\r\n", 400),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; filename="x"\r\n\r\n',
            422,
        ),
    ],
)
def test_forms_that_are_wrong(served: Served, content_type: str, body: bytes, status: int) -> None:
    """A form that is damaged, has no file or too many parts is 400; a file that is no image 422."""
    answer = served.client.post("/v1/read", content=body, headers={"Content-Type": content_type})
    assert answer.status_code == status


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
changes = st.dictionaries(st.sampled_from(["name", "datatype", "shape", "data", "parameters"]), json_values)
documents = st.dictionaries(st.sampled_from(["id", "inputs", "outputs", "parameters"]), json_values)


@given(changes, documents, st.none() | st.text("0123456789", max_size=4))
def test_any_request_for_inference(
    served: Served, changes: dict[str, Any], more: dict[str, Any], length: str | None
) -> None:
    """Whatever a request holds, it is answered or refused, and never fails."""
    text = json.dumps({**request_of(**changes), **more})
    headers = {} if length is None else {LENGTH: length}
    assert served.client.post(INFER, content=text, headers=headers).status_code in (200, 400)


@given(st.binary(max_size=200), st.sampled_from([b"", *map(png_header, (3, 10), (3, 10)), image_of(9)[:50]]))
def test_any_image(served: Served, tail: bytes, head: bytes) -> None:
    """Whatever an image's body holds, it is read or refused, and never fails."""
    assert served.client.post("/v1/read", content=head + tail).status_code in (200, 422)


mutations = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6)


@given(st.sampled_from(sorted(IMAGES)), mutations, st.integers(1, 10_000))
def test_any_damage(served: Served, name: str, changed: list[tuple[int, int]], length: int) -> None:
    """An image of any format, with bytes changed and its end cut off, is read or refused, and never fails."""
    damaged = bytearray(IMAGES[name])
    for place, value in changed:
        damaged[place % len(damaged)] = value
    answer = served.client.post("/v1/read", content=bytes(damaged[:length]))
    assert answer.status_code in (200, 422)


@given(st.binary(max_size=200))
def test_any_form(served: Served, inside: bytes) -> None:
    """Whatever a form holds, it is read or refused, and never fails."""
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = served.client.post("/v1/read", content=b"--b\r\n" + inside, headers=headers)
    assert answer.status_code in (400, 422)


def test_outputs_that_json_cannot_hold(tmp_path: Path) -> None:
    """What is not a number is refused as JSON, and given as bytes."""
    answers = {**ANSWERS, "names": lambda image: {"c": np.array([[np.nan, 1.0]], np.float32)}}
    with serving(delivery_of(tmp_path, NAMES, answers=answers)) as served:
        path = "/v2/models/names/infer"
        answer = served.client.post(path, json=request_of())
        assert (answer.status_code, "ask for it with 'binary_data'" in answer.json()["error"]) == (422, True)
        asked = {**request_of(), "parameters": {"binary_data_output": True}}
        assert served.client.post(path, json=asked).status_code == 200


def test_a_network_that_fails(tmp_path: Path) -> None:
    """A failure of the network itself is 500, and the log names its kind and place, not its text."""
    calls = iter([False, True, False])

    def answer(image: Any) -> Any:
        if next(calls):
            raise RuntimeError("with something of the request")
        return ANSWERS["names"](image)

    with serving(delivery_of(tmp_path, NAMES, answers={"names": answer})) as served:
        failed = served.client.post("/v1/read", content=image_of(200))
        assert (failed.status_code, failed.json()) == (
            500,
            {"error": "this has failed here; the log says where"},
        )
        assert served.client.post("/v1/read", content=image_of(200)).status_code == 200
        (line,) = [line for line in served.lines if line["status"] == 500]
        assert (line["error"], "test_http_service.py" in line["at"]) == ("RuntimeError", True)
        assert "something" not in json.dumps(served.lines)


def test_a_mask(tmp_path: Path) -> None:
    """A segmenter's mask comes as a PNG with its size."""
    with serving(delivery_of(tmp_path, MARKS)) as served:
        (one,) = served.client.post("/v1/read", content=image_of(200, (10, 20))).json()["found"]
        assert (one["mask"]["width"], one["mask"]["height"]) == (20, 10)


def test_the_key(tmp_path: Path) -> None:
    """With a key, everything but health, the page and the document takes it; it is in no log."""
    with serving(pipeline_of(tmp_path), key=KEY) as served:
        for path in ("/v2", "/v1/read", "/metrics", "/v2/models/reads", "/nothing"):
            answer = served.client.get(path)
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        for path in ("/", "/openapi.json", "/v2/health/live", "/v2/health/ready"):
            assert served.client.get(path).status_code == 200
        wrong = {"Authorization": f"Bearer {KEY}x"}
        assert served.client.get("/v2", headers=wrong).status_code == 401
        assert served.client.get("/v2", headers={"X-Api-Key": b"\xff"}).status_code == 401
        for headers in ({"Authorization": f"bearer {KEY}"}, {"X-Api-Key": KEY}):
            assert served.client.get("/v2", headers=headers).status_code == 200
        assert KEY not in json.dumps(served.lines)
        assert served.client.get("/openapi.json").json()["security"] == [{"key": []}]


def test_a_keys_file(tmp_path: Path) -> None:
    """A key is one line, long enough; what is none is refused, and a key does not show itself."""
    path = tmp_path / "key"
    for content in ("", "short", "two words that are long", "schlüssel-schlüssel"):
        path.write_text(content)
        with pytest.raises(InputProblem, match="it holds no key"):
            read_key(path)
    with pytest.raises(InputProblem, match="cannot be read"):
        read_key(tmp_path / "missing")
    path.write_text(f"{KEY}\n")
    assert KEY not in repr(read_key(path))
    assert isinstance(read_key(path), ApiKey)
    assert read_key(None) is None


class Gate:
    """A network that answers when it is let; the first call, which warms it up, needs no leave."""

    def __init__(self) -> None:
        self.leave, self.begun = threading.Semaphore(0), threading.Semaphore(0)
        self.calls = 0

    def answer(self, image: Any) -> Any:
        self.calls += 1
        if self.calls > 1 and image.any():
            self.begun.release()
            assert self.leave.acquire(timeout=20)
        return ANSWERS["names"](image)


@pytest.fixture
def gate() -> Gate:
    return Gate()


def test_more_than_may_wait(tmp_path: Path, gate: Gate) -> None:
    """One is at work and one waits; a third is refused with 429 at once, and health still answers."""
    delivered = delivery_of(tmp_path, NAMES, answers={"names": gate.answer})
    with serving(delivered, Limits(waiting=1)) as served, ThreadPoolExecutor(2) as threads:
        post = lambda: served.client.post("/v1/read", content=image_of(200)).status_code  # noqa: E731
        first = threads.submit(post)
        assert gate.begun.acquire(timeout=10)
        second = threads.submit(post)
        while served.counted("dockyard_requests_in_flight") < 3:  # this one among them
            time.sleep(0.01)
        refused = served.client.post("/v1/read", content=image_of(200))
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        assert served.client.get("/v2/health/ready").status_code == 200
        gate.leave.release(2)
        assert (first.result(), second.result()) == (200, 200)
        assert served.counted('dockyard_requests_refused_total{status="429"}') == 1
        gate.leave.release()
        assert post() == 200


def test_two_workers_work_at_once(tmp_path: Path, gate: Gate) -> None:
    """Each worker has a session of its own, and as many requests are at work as there are workers."""
    delivered = delivery_of(tmp_path, NAMES, answers={"names": gate.answer})
    with serving(delivered, workers=2) as served, ThreadPoolExecutor(2) as threads:
        post = lambda: served.client.post("/v1/read", content=image_of(200)).status_code  # noqa: E731
        results = [threads.submit(post), threads.submit(post)]
        assert gate.begun.acquire(timeout=10)
        assert gate.begun.acquire(timeout=10), "the second waits for the first"
        gate.leave.release(2)
        assert [one.result() for one in results] == [200, 200]


def test_one_that_takes_too_long(tmp_path: Path, gate: Gate) -> None:
    """It is answered with 503 in time; what it has begun keeps its place until it is done."""
    delivered = delivery_of(tmp_path, NAMES, answers={"names": gate.answer})
    with serving(delivered, Limits(waiting=0, timeout_s=0.3)) as served:
        late = served.client.post("/v1/read", content=image_of(200))
        assert (late.status_code, late.json()["error"]) == (503, "it was not done in 0.3 seconds")
        assert served.client.post("/v1/read", content=image_of(200)).status_code == 429
        gate.leave.release(3)
        deadline = time.monotonic() + 10
        while (status := served.client.post("/v1/read", content=image_of(200)).status_code) == 429:
            assert time.monotonic() < deadline
        assert status == 200


def test_a_body_that_does_not_come(tmp_path: Path) -> None:
    """One that sends only the beginning of its body is answered with 503, and gives its place back."""
    with serving(pipeline_of(tmp_path), Limits(waiting=0, timeout_s=0.3)) as served:
        with socket.create_connection(("127.0.0.1", served.port)) as connection:
            connection.sendall(b"POST /v1/read HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
            assert connection.recv(100).startswith(b"HTTP/1.1 503")
        assert served.client.post("/v1/read", content=image_of(200)).status_code == 200


def test_requests_that_are_cut_off(served: Served) -> None:
    """A client that goes away in the midst of its body, or while it is answered, costs nothing but itself."""
    for number in range(5):
        with socket.create_connection(("127.0.0.1", served.port)) as connection:
            head = b"POST /v1/read HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n"
            connection.sendall(head + bytes(number))
    deadline = time.monotonic() + 10
    while served.counted('dockyard_requests_total{path="/v1/read",status="499"}') < 5:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert served.client.post("/v1/read", content=image_of(200)).status_code == 200


def test_metrics_and_log(tmp_path: Path) -> None:
    """Requests are counted by route and status, whatever their paths hold, and logged without contents."""
    with serving(pipeline_of(tmp_path)) as served:
        served.client.post("/v1/read?secret=1", content=image_of(200))
        served.client.get("/%22%7D%0Ax")
        text = served.client.get("/metrics").text
        assert 'dockyard_requests_total{path="/v1/read",status="200"} 1' in text
        assert 'dockyard_requests_total{path="other",status="404"} 1' in text
        assert 'dockyard_request_seconds_bucket{path="/v1/read",le="+Inf"} 1' in text
        assert 'dockyard_request_seconds_count{path="/v1/read"} 1' in text
        assert "dockyard_requests_in_flight 1" in text
        first = served.lines[0]
        assert set(first) == {"event", "method", "path", "status", "ms"}
        assert (first["method"], first["path"], first["status"]) == ("POST", "/v1/read", 200)


def test_page_and_document(served: Served) -> None:
    """The page allows itself and nothing from elsewhere; the document names every route."""
    page = served.client.get("/")
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "//" not in page.text.replace("</", "<"), "something from elsewhere"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    document = served.client.get("/openapi.json").json()
    assert {"/v1/read", "/v2/models/{name}/infer", "/metrics"} <= set(document["paths"])
    name = document["paths"]["/v2/models/{name}"]["get"]["parameters"][0]
    assert name["schema"]["enum"] == ["finds", "reads"]
