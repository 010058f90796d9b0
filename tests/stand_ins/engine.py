"""A stand-in for a Docker engine and for the docker command, as far as the host asks them before a job runs.

The engine answers on a socket of this machine. The command knows the contexts `default`, which is that
engine, and `jetson`, which leads nowhere, and takes the one in use as docker does.
"""

from __future__ import annotations

import hashlib
import json
import re
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dockyard.engines.base_image import (
    BASE_LABEL,
    LOCAL_DEBIAN,
    LOCK_LABEL,
    PYTHON_IMAGE,
    TOOLS_IMAGE,
    base_digest,
)
from dockyard.recipe.hashing import file_hash
from dockyard.recipe.workspace import Workspace

_TAG = re.compile(r"^(\w+:).* --tag (\S+) .*$")

NOWHERE = "tcp://127.0.0.1:9"
"""Where the context `jetson` leads."""

COMMAND = """#!/bin/sh
named=
if [ "$1" = --context ]; then named=$2; shift 2; fi
current=$(sed -n 's/.*"currentContext": *"\\([a-z]*\\)".*/\\1/p' "$DOCKER_CONFIG/config.json" 2>/dev/null)
context=${named:-${DOCKER_CONTEXT:-${current:-default}}}
if [ -z "$named" ] && [ -n "$DOCKER_HOST" ]; then context=default; fi
case "$*" in
"context inspect "*) context=$3 ;;
esac
case "$context" in
default) host=${DOCKER_HOST:-unix://@SOCKET@}; architecture=@ARCHITECTURE@ ;;
jetson) host=@NOWHERE@; architecture=arm64 ;;
*) echo "context not found" >&2; exit 1 ;;
esac
case "$*" in
"context inspect"*) printf '[{"Name": "%s", "Endpoints": {"docker": {"Host": "%s"}}}]' $context "$host" ;;
*Server.Arch*) echo $architecture ;;
*"version"*) echo 27.5.1 ;;
*"image inspect"*) cat "@FOLDER@/images" ;;
*"build --help"*) echo "--secret stringArray" ;;
*build*)
    echo "$context: $*" >>"@FOLDER@/builds"
    if [ -e "@FOLDER@/drops" ]; then
        mv "@FOLDER@/drops" "@FOLDER@/away"; echo "ERROR: connection reset"; exit 1
    fi
    if [ -e "@FOLDER@/cannot-build" ]; then cat "@FOLDER@/cannot-build"; exit 1; fi
    for argument; do
        if [ "$previous" = --iidfile ]; then echo sha256:made >"$argument"; fi
        previous=$argument
    done ;;
*) exit 1 ;;
esac
"""
"""A file `images` beside it is what `docker image inspect` says; one `cannot-build` is why a build fails."""


class StandInEngine:
    """An engine that has what a test gives it.

    Attributes:
        folder: with `docker`, the command, and what that reads and writes.
        told: what the engine says of itself, as `docker info` shows it.
        asked_for: what containers were to be made with.
        makes_containers: whether they are made, of which nothing else is to be had; else none is.
        labels: of the containers that run there, by name.
        on_call: is told the method and path of each call; if it raises ConnectionError, the line drops.
    """

    def __init__(self, folder: Path, socket: Path, architecture: str) -> None:
        self.folder, self.socket = folder, socket
        self.told: dict[str, Any] = {
            "Name": "stand-in",
            "ID": "stand-in",
            "Architecture": {"amd64": "x86_64", "arm64": "aarch64"}[architecture],
            "MemTotal": 16_000_000_000,
            "NCPU": 8,
            "ServerVersion": "27.5.1",
            "Runtimes": {"runc": {}},
        }
        self.asked_for: list[Any] = []
        self.makes_containers = False
        self.labels: dict[str, Mapping[str, str]] = {}
        self.on_call: Callable[[str, str], None] = lambda method, path: None
        (folder / "images").write_text("[]")
        words = {"SOCKET": socket, "NOWHERE": NOWHERE, "ARCHITECTURE": architecture, "FOLDER": folder}
        text = COMMAND
        for word, value in words.items():
            text = text.replace(f"@{word}@", str(value))
        (folder / "docker").write_text(text)
        (folder / "docker").chmod(0o755)

    def has_base(self, workspace: Workspace) -> None:
        """Have the engine what all images are made on, of today's files."""
        debian = {LOCK_LABEL: file_hash(workspace.docker("base") / "make-base.sh")}
        base = {LOCK_LABEL: base_digest(workspace), BASE_LABEL: f"sha256:{LOCAL_DEBIAN}"}
        labels = {LOCAL_DEBIAN: debian, PYTHON_IMAGE: base, TOOLS_IMAGE: base}
        there = [
            {"Id": f"sha256:{tag}", "RepoTags": [tag], "Config": {"Labels": its}}
            for tag, its in labels.items()
        ]
        (self.folder / "images").write_text(json.dumps(there))

    def builds(self) -> list[str]:
        """Return the context and the tag of each build, as `default: dockyard/tensorflow:2.21`."""
        path = self.folder / "builds"
        lines = path.read_text().splitlines() if path.exists() else []
        return [_TAG.sub(r"\1 \2", line) for line in lines]

    def cannot_build(self, said: str) -> None:
        """Have builds fail, and say why."""
        (self.folder / "cannot-build").write_text(f"ERROR: {said}\n")

    def drop_a_build(self, calls: int) -> None:
        """Have the line drop in the next build, for so many of the calls that come after."""
        (self.folder / "drops").write_text(str(calls))

    def is_away(self) -> bool:
        """Tell whether a call meets a line that is down."""
        away = self.folder / "away"
        left = int(away.read_text()) if away.exists() else 0
        if left:
            away.write_text(str(left - 1))
        return left > 0

    def answer(self, path: str) -> Any:
        """Return what the engine answers to a GET."""
        answers: Mapping[str, Any] = {
            "/_ping": "OK",
            "/version": {"ApiVersion": "1.44", "MinAPIVersion": "1.24"},
            "/info": self.told,
            "/containers/json": [{"Id": name} for name in self.labels],
        }
        for name, labels in self.labels.items():
            if path.endswith(f"/containers/{name}/json"):
                state = {"Status": "running", "Running": True}
                settings = {"Labels": labels, "Tty": False}
                return {"Id": name, "Name": f"/{name}", "Config": settings, "State": state}
        return next((answer for end, answer in answers.items() if path.endswith(end)), None)


@contextmanager
def stand_in_engine(folder: Path, architecture: str = "amd64") -> Iterator[StandInEngine]:
    """Yield an engine that answers, and docker's configuration, with the context `jetson`, below a folder."""
    socket = folder / "engine.sock"
    engine = StandInEngine(folder, socket, architecture)
    meta = folder / "config" / "contexts" / "meta" / hashlib.sha256(b"jetson").hexdigest()
    meta.mkdir(parents=True)
    described = {"Name": "jetson", "Metadata": {}, "Endpoints": {"docker": {"Host": NOWHERE}}}
    (meta / "meta.json").write_text(json.dumps(described))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if engine.is_away():
                self.close_connection = True
                return
            engine.on_call("GET", self.path)
            found = engine.answer(urlsplit(self.path).path)
            if found is None:
                self.reply(404, {"message": "there is no such thing"})
            else:
                self.reply(200, found)

        def do_DELETE(self) -> None:
            try:
                engine.on_call("DELETE", self.path)
            except ConnectionError:
                self.close_connection = True
                return
            if engine.labels.pop(Path(urlsplit(self.path).path).name, None) is None:
                self.reply(404, {"message": "there is no such container"})
            else:
                self.reply(204, "")

        def do_POST(self) -> None:
            engine.asked_for.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if not engine.makes_containers or not engine.asked_for[-1]:
                self.reply(500, {"message": "a stand-in makes no containers"})
                return
            engine.on_call("POST", self.path)
            (name,) = parse_qs(urlsplit(self.path).query)["name"]
            engine.labels[name] = engine.asked_for[-1]["Labels"]
            self.reply(201, {"Id": name})

        def reply(self, status: int, found: Any) -> None:
            content = (found if isinstance(found, str) else json.dumps(found)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

    with Server(str(socket), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield engine
        finally:
            server.shutdown()
            thread.join()
