"""What builds and loads an engine at a client's; needs TensorRT, CUDA and nothing of what measures."""

from __future__ import annotations

from pathlib import Path

from device_engines import DeviceEngines
from jetson_engines import JetsonEngines

from shared.inference.loading import Loaders

ENGINES = JetsonEngines()
LOADERS = Loaders(ENGINES, device_builder=DeviceEngines(ENGINES, Path(__file__).with_name("target.json")))
