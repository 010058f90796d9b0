"""DeepStream on a Jetson: engines compiled on the device, and the whole pipeline of a video run by it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Dict

import jetson_engines
from compilation import EngineCompiler
from deepstream_l4t import deepstream_release
from messages import error_summary
from serving import ENGINES, LOADERS

from shared.contract.artifact import Manifest
from shared.contract.model import Network
from shared.harness.run_job import main
from shared.harness.toolchain import Capabilities, Compiler, Options, Product


def versions() -> Dict[str, str]:
    """Return the releases of what decides an engine, and of DeepStream."""
    found = dict(jetson_engines.versions())
    release = deepstream_release()
    return {**found, "deepstream": release} if release else found


class NamedEngines:
    """Compiles engines as nvinfer names them.

    Args:
        compiler: compiles the networks' engines.
    """

    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler

    def compile(
        self,
        network: Network,
        source: Path,
        manifest: Manifest,
        output: Path,
        method: str,
        options: Options,
        cache: Path,
    ) -> Product:
        made = self._compiler.compile(network, source, manifest, output, method, options, cache)
        # nvinfer's name of an engine has it.
        return replace(made, settings={**made.settings, "precision": manifest.settings["precision"]})


CAPABILITIES = Capabilities(
    versions,
    loader=LOADERS.loader,
    compiler=NamedEngines(EngineCompiler(ENGINES)),
    streamer=LOADERS.streamer,
    error_summary=error_summary,
)

if __name__ == "__main__":
    sys.exit(main(CAPABILITIES))
