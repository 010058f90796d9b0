"""What builds, loads and streams at a client's: with TensorRT, CUDA and DeepStream, without what measures."""

from __future__ import annotations

from pathlib import Path

from deepstream_l4t import DeepStreamL4t
from device_engines import DeviceEngines
from jetson_engines import JetsonEngines

from shared.inference.loading import Loaders

ENGINES = JetsonEngines()
STREAMER = DeepStreamL4t(ENGINES)
LOADERS = Loaders(
    STREAMER,
    streamer=STREAMER,
    device_builder=DeviceEngines(ENGINES, Path(__file__).with_name("target.json")),
)
