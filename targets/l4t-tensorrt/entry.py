"""TensorRT on a Jetson: engines compiled on the device of ONNX that was typed and quantized elsewhere."""

from __future__ import annotations

import sys

from jetson_engines import JetsonEngines, versions
from messages import error_summary

from shared.harness.run_job import main
from shared.harness.toolchain import Capabilities

ENGINES = JetsonEngines()
CAPABILITIES = Capabilities(versions, loader=ENGINES, compiler=ENGINES, error_summary=error_summary)

if __name__ == "__main__":
    sys.exit(main(CAPABILITIES))
