"""TensorRT on a Jetson: engines compiled on the device of ONNX that was typed and quantized elsewhere."""

from __future__ import annotations

import sys

from compilation import EngineCompiler
from jetson_engines import versions
from messages import error_summary
from serving import ENGINES, LOADERS

from shared.harness.run_job import main
from shared.harness.toolchain import Capabilities

CAPABILITIES = Capabilities(
    versions, loader=LOADERS.loader, compiler=EngineCompiler(ENGINES), error_summary=error_summary
)

if __name__ == "__main__":
    sys.exit(main(CAPABILITIES))
