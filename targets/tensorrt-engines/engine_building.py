"""Engines built by TensorRT's Python API, whatever release and name its package has: it is passed in.

What a release can do is asked of its package. Calls are those of TensorRT 8.5 and later.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Iterator, List, Sequence

from engine_wish import FP16, INT8, Wish
from messages import plain


def new_listener(trt: Any) -> Any:
    """Return a logger for TensorRT that keeps in `errors` what is wrong, and prints that and warnings into
    the job's log.
    """

    class Listener(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: List[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity <= trt.ILogger.Severity.WARNING:
                print(f"TensorRT: {message}", flush=True)
            if severity <= trt.ILogger.Severity.ERROR:
                self.errors.append(message)

    return Listener()


def build_plan(trt: Any, wish: Wish, adjust: Callable[[Any], None] = lambda config: None) -> bytes:
    """Build an engine and return it as it is saved.

    Where TensorRT has strongly typed networks the engine computes in the very types of the graph. Where it
    has not, the types of the wish are allowed everywhere but in the nodes that must stay in float32.

    Args:
        trt: TensorRT's package.
        adjust: changes the builder's configuration as the target needs it.

    Raises:
        ValueError: TensorRT cannot read the graph or build it; its own line says why.
    """
    listener = new_listener(trt)
    builder = trt.Builder(listener)
    kinds = trt.NetworkDefinitionCreationFlag
    is_strongly_typed = hasattr(kinds, "STRONGLY_TYPED")
    kind = kinds.STRONGLY_TYPED if is_strongly_typed else kinds.EXPLICIT_BATCH
    network = builder.create_network(1 << int(kind))
    parser = trt.OnnxParser(network, listener)
    if not parser.parse_from_file(str(wish.graph)):
        raise ValueError(_parser_error(parser))
    config = builder.create_builder_config()
    # 10 bits for float32 are not what a graph asks for that says float32.
    config.clear_flag(trt.BuilderFlag.TF32)
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, wish.workspace_mb << 20)
    # Names of layers, by which their types are read back.
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if not is_strongly_typed:
        _allow(trt, config, network, wish)
    adjust(config)
    if wish.timing_cache is not None:
        _use_timings(config, wish.timing_cache)
    built = builder.build_serialized_network(network, config)
    if built is None:
        reason = plain(listener.errors[0]) if listener.errors else "it gives no reason"
        raise ValueError(f"TensorRT builds no engine of the graph: {reason}")
    if wish.timing_cache is not None:
        wish.timing_cache.write_bytes(bytes(config.get_timing_cache().serialize()))
    return bytes(built)


def _parser_error(parser: Any) -> str:
    """Return the first error of the parser as one line: the ONNX node, and what is wrong with it."""
    if parser.num_errors == 0:
        return "TensorRT cannot read the graph, and gives no reason"
    error = parser.get_error(0)
    # What tells the operator came with 10.
    has_operator = hasattr(error, "node_operator")
    words = (error.node_operator(), error.node_name()) if has_operator else ()
    operation = " ".join(filter(None, words))
    return f"TensorRT cannot read the operation {operation or error.node()}: {plain(error.desc())}"


def _allow(trt: Any, config: Any, network: Any, wish: Wish) -> None:
    """Allow the types of a wish in a network that is not strongly typed, and hold layers to float32."""
    flags = {FP16: trt.BuilderFlag.FP16, INT8: trt.BuilderFlag.INT8}
    for name in wish.types:
        config.set_flag(flags[name])
    if wish.types and wish.in_float32:
        config.set_flag(trt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)
        for layer in _layers(network, wish.in_float32):
            # A layer of indices alone has no other type than its own, whatever its precision is said to be.
            outputs = {layer.get_output(index).dtype for index in range(layer.num_outputs)}
            if outputs & {trt.DataType.FLOAT, trt.DataType.HALF}:
                layer.precision = trt.DataType.FLOAT


def _layers(network: Any, names: Sequence[str]) -> Iterator[Any]:
    wanted = frozenset(names)
    layers = (network.get_layer(index) for index in range(network.num_layers))
    return (layer for layer in layers if layer.name in wanted)


def _use_timings(config: Any, path: Path) -> None:
    """Have a build use the times of an earlier one; times of another device or release are left aside."""
    earlier = path.read_bytes() if path.is_file() else b""
    cache = config.create_timing_cache(earlier)
    if cache is None or not config.set_timing_cache(cache, False):
        config.set_timing_cache(config.create_timing_cache(b""), False)
