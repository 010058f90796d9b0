"""Stands in for trtexec: takes the flags of one release, prints its lines, writes its files, runs no network.

Flags, lines and files are those of the sources of NVIDIA/TensorRT (samples/trtexec, samples/common), branches
release/8.5, 10.3, 10.16 and 11.1. A graph is taken for ONNX by its first byte alone, and for one in int8 or
float16 where its bytes say `int8` or `fp16`; times are made up. An engine holds the graph that it is of.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

FLAGS = json.loads(Path(__file__).with_name("trtexec_flags.json").read_text())
IR_VERSION_FIELD = b"\x08"
"""What an ONNX file begins with."""

MAGIC, VERSION_AT = b"ftrt", 24
"""What a plan begins with, and where it has the four bytes of its version."""

PATCHES = {"8.5": (2, 2), "10.3": (0, 26), "10.16": (1, 11), "11.1": (0, 9)}
NO_KERNEL = b"no kernel"
"""In a graph: TensorRT has no kernel for one of its layers."""

CALL_MS = {"h2d": 0.25, "compute": 1.5, "d2h": 0.125}
CALLS = 20


class Failed(Exception):
    """What trtexec says when it gives up, a line each."""


@dataclass(frozen=True)
class Trtexec:
    """A release of trtexec.

    Args:
        release: `8.5`, `10.3`, `10.16` or `11.1`.
    """

    release: str

    @property
    def version(self) -> tuple[int, int, int, int]:
        major, minor = map(int, self.release.split("."))
        return (major, minor, *PATCHES[self.release])

    @property
    def tag(self) -> str:
        """The version as trtexec prints it: 8.5.2 is v8502, 10.3.0 is v100300."""
        major, minor, patch, _ = self.version
        wide = major * 10000 + minor * 100 + patch
        return f"v{wide if major >= 10 else major * 1000 + minor * 100 + patch}"

    def main(self, arguments: list[str]) -> int:
        """Run a command line; return the exit status."""
        called = f"TensorRT.trtexec [TensorRT {self.tag}] # trtexec {' '.join(arguments)}"
        print(f"&&&& RUNNING {called}")
        try:
            self._run(dict(_flag(argument) for argument in arguments))
        except Failed as failed:
            for line in failed.args:
                say("E", line)
            print(f"&&&& FAILED {called}")
            return 1
        print(f"&&&& PASSED {called}")
        return 0

    def _run(self, flags: dict[str, str]) -> None:
        known = {*FLAGS["common"], *FLAGS["releases"][self.release]}
        unknown = [f"Unknown option: {name} {value}" for name, value in flags.items() if name not in known]
        if unknown:
            print("=== Model Options ===")
            raise Failed(*unknown)
        if "--loadEngine" in flags:
            self._load(Path(flags["--loadEngine"]))
        elif "--onnx" in flags:
            self._build(flags)
        else:
            raise Failed("Model missing or format not recognized")
        if "--buildOnly" not in flags and "--skipInference" not in flags:
            self._time(flags)

    def _build(self, flags: dict[str, str]) -> None:
        graph = Path(flags["--onnx"])
        if not graph.is_file() or not graph.read_bytes().startswith(IR_VERSION_FIELD):
            raise Failed(
                f"[TRT] ModelImporter.cpp:735: Failed to parse ONNX model from file: {graph}",
                "Failed to parse onnx file",
                "Parsing model failed",
                "Failed to create engine from model or file.",
                "Engine set up failed",
            )
        say("I", "Finished parsing network model. Parse time: 0.1")
        held = _layer_precisions(flags.get("--layerPrecisions", ""))
        if NO_KERNEL in graph.read_bytes():
            raise Failed(
                "[TRT] 10: [optimizer.cpp::computeCosts::3728] Error Code 10: Internal Error (Could not find "
                "any implementation for node conv.)",
                "Engine could not be created from network",
                "Building engine failed",
                "Failed to create engine from model or file.",
                "Engine set up failed",
            )
        header = MAGIC.ljust(VERSION_AT, b"\0") + bytes(self.version)
        Path(flags["--saveEngine"]).write_bytes(header + graph.read_bytes())
        if "--timingCacheFile" in flags:
            timings = Path(flags["--timingCacheFile"])
            earlier = timings.read_bytes() if timings.is_file() else b""
            timings.write_bytes(earlier + b"timings\n")
        if "--exportLayerInfo" in flags:
            is_detailed = flags.get("--profilingVerbosity") == "detailed"
            detailed = self._layers(self._types(graph, flags), held)
            layers = detailed if is_detailed else [layer["Name"] for layer in detailed]
            Path(flags["--exportLayerInfo"]).write_text(json.dumps({"Layers": layers, "Bindings": []}))

    def _types(self, graph: Path, flags: dict[str, str]) -> tuple[str, str]:
        """What convolutions multiply in, and what all else is computed in: what the graph has where the
        network is strongly typed, else the shortest that flags allow.
        """
        is_strongly_typed = self.version[0] >= 11 or "--stronglyTyped" in flags
        content = graph.read_bytes()
        allowed = [one for one in ("int8", "fp16") if f"--{one}" in flags]
        types = [one for one in ("int8", "fp16") if one.encode() in content] if is_strongly_typed else allowed
        rest = "FP16" if "fp16" in types else "FP32"
        return ("Int8" if "int8" in types else rest, rest)

    def _layers(self, types: tuple[str, str], held: dict[str, str]) -> list[dict[str, object]]:
        """Layers as the release writes them; 8.5 does not say what nodes of the graph they are."""
        multiplied, rest = types
        decoded = held.get("decode", rest).upper()
        layers = [
            _layer("conv + relu", "CaskConvolution", "Convolution", multiplied, rest),
            _layer("decode", "PointWiseV2", "PointWise", rest, decoded),
        ]
        if self.version[0] < 10:
            return layers
        told = ("[ONNX Layer: conv]\x1e[ONNX Layer: relu]", "[ONNX Layer: decode]")
        return [{**layer, "Metadata": metadata} for layer, metadata in zip(layers, told)]

    def _load(self, engine: Path) -> None:
        if not engine.is_file():
            raise Failed(f"Error opening engine file: {engine}", "Engine set up failed")
        if engine.read_bytes()[VERSION_AT : VERSION_AT + 4] != bytes(self.version):
            raise Failed(
                "[TRT] 1: [stdArchiveReader.cpp::StdArchiveReader::30] Error Code 1: Serialization "
                "(Serialization assertion stdVersionRead == serializationVersion failed.Version tag does not "
                "match.)",
                "Engine deserialization failed",
                "Engine set up failed",
            )

    def _time(self, flags: dict[str, str]) -> None:
        has_transfers = "--includeDataTransfers" in flags if self.version[0] >= 11 else True
        has_transfers = has_transfers and "--noDataTransfers" not in flags
        h2d, d2h = (CALL_MS["h2d"], CALL_MS["d2h"]) if has_transfers else (0.0, 0.0)
        latency = h2d + CALL_MS["compute"] + d2h
        if "--exportTimes" in flags:
            start = {"startEnqMs": 0.0, "endEnqMs": 0.1, "startH2dMs": 0.0, "endH2dMs": h2d}
            took = {"h2dMs": h2d, "computeMs": CALL_MS["compute"], "d2hMs": d2h, "latencyMs": latency}
            Path(flags["--exportTimes"]).write_text(json.dumps([{**start, **took}] * CALLS))
        say("I", "=== Performance summary ===")
        say("I", f"Throughput: {1000 / CALL_MS['compute']:g} qps")
        for name, value in (("Latency", latency), ("GPU Compute Time", CALL_MS["compute"])):
            say("I", f"{name}: min = {value} ms, max = {value} ms, mean = {value} ms, median = {value} ms")
        say("W", "* GPU compute time is unstable, with coefficient of variance = 3.5%.")


def _layer(name: str, kind: str, parameter: str, read: str, written: str) -> dict[str, object]:
    tensors = []
    for kind_of_data in (read, written):
        form = f"Row major linear {kind_of_data}"
        tensors.append({"Name": name, "Location": "Device", "Dimensions": [1, 3], "Format/Datatype": form})
    return {
        "Name": name,
        "LayerType": kind,
        "Inputs": tensors[:1],
        "Outputs": tensors[1:],
        "ParameterType": parameter,
        "TacticValue": "0x1",
    }


def _layer_precisions(told: str) -> dict[str, str]:
    """Read `--layerPrecisions` as trtexec 8.5 does: split at commas, each at its quotes or its last colon."""
    found = {}
    for entry in told.split(",") if told else []:
        parts = entry.split("'")
        if len(parts) not in (1, 3):
            raise Failed(f"Found invalid number of 's when parsing {entry}.")
        name, _, precision = entry.rpartition(":") if len(parts) == 1 else (parts[1], "", parts[2][1:])
        if precision not in ("fp32", "fp16", "int8", "int32"):
            raise Failed(f"Invalid DataType {precision}")
        found[name] = precision
    return found


def say(level: str, line: str) -> None:
    """Print a line as trtexec does."""
    print(f"[11/28/2026-20:00:00] [{level}] {line}")


def _flag(argument: str) -> tuple[str, str]:
    name, _, value = argument.partition("=")
    return name, value


def install(folder: Path, release: str) -> Path:
    """Make a program `trtexec` of a release in a folder; return its path."""
    program = folder / "trtexec"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__)} {release} "$@"\n')
    program.chmod(0o755)
    return program


if __name__ == "__main__":
    sys.exit(Trtexec(sys.argv[1]).main(sys.argv[2:]))
