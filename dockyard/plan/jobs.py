"""The jobs of a plan: what each is given and where that comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from dockyard.plan.plan import (
    REFERENCE_VARIANT,
    ClipInput,
    DataInput,
    GraphInput,
    JobInput,
    OutputInput,
    Plan,
    PlannedJob,
    TuningInput,
)
from dockyard.plan.resolve import method_of
from dockyard.recipe.targets import (
    COARSE_TOLERANCE,
    CONVERSION_TOLERANCE,
    REFERENCE_TARGET,
    OnnxWish,
    Preparation,
    with_defaults,
)
from shared.contract.job import Job
from shared.contract.model import Network
from shared.contract.recipe import Optimization, Stream
from shared.contract.stages import (
    STREAM,
    Compile,
    Convert,
    Evaluate,
    NetworkBenchmark,
    NetworkFiles,
    Optimize,
    Parameters,
    PipelineBenchmark,
    PipelineEvaluate,
    PipelineFiles,
    Predict,
    StreamBenchmark,
    StreamConfigure,
    StreamEvaluate,
    StreamFiles,
    Tolerance,
    Tuning,
)
from shared.contract.streaming import REFERENCE_READINGS, Tracking

ONNX_GRAPH = "model.onnx"
"""What the reference's `convert` leaves."""

REFERENCE_OUTPUTS = "reference.npz"
"""Real inputs and the reference's outputs for them, which its `evaluate` leaves."""

REFERENCE_INPUT = f"data/reference/{REFERENCE_OUTPUTS}"
"""Where jobs have it, below their inputs: in a folder of its own, as what an engine may keep for the next."""

READINGS_INPUT = f"data/readings/{REFERENCE_READINGS}"
"""Where jobs have it, below their inputs."""

CLIP = "data/clip"
"""Where jobs have the video that a stream reads, below their inputs."""

SETTINGS = "settings"
"""Where they have how it is run."""

OPSET = "opset"
"""The key of a conversion that is for the reference, which makes the ONNX."""

PREDICTED_SAMPLES = 100
"""Of the test split, that a quality is predicted on: what stands in for a device may be slow."""

COMPILE_CACHE = "cache"
"""The folder of a job that compiles, with what the compilations on its device leave for the next."""

START = "start"
"""What a method is given of another one's variant, to go on from."""

CONVERSION = "conversion"
"""The method of a conversion, which is for all methods of a toolchain."""


def convert_id(network: str, target: str, toolchain: str) -> str:
    """Return the id of the job that converts a network for a target's toolchain."""
    return f"{network}/convert/{target}-{toolchain}"


def optimize_id(network: str, variant: str) -> str:
    """Return the id of the job that makes a network's variant."""
    return f"{network}/{variant}/optimize"


def compile_id(network: str, variant: str) -> str:
    """Return the id of the job that compiles a network's variant for its device."""
    return f"{network}/{variant}/compile"


def made_id(plan: Plan, network: str, variant: str) -> str:
    """Return the id of the job that leaves what is measured of a network's variant."""
    is_compiled = plan.preparation_of(plan.optimizations[variant]) is not None
    return compile_id(network, variant) if is_compiled else optimize_id(network, variant)


def predict_id(network: str, variant: str) -> str:
    """Return the id of the job that predicts the quality of a network's variant."""
    return f"{network}/{variant}/predict"


def evaluate_id(model: str, variant: str) -> str:
    """Return the id of the job that judges the quality of a model's variant."""
    return f"{model}/{variant}/evaluate"


def benchmark_id(model: str, variant: str, number: int) -> str:
    """Return the id of the job that measures a model's variant in a round."""
    return f"{model}/{variant}/benchmark/{number}"


def configure_id(pipeline: str, variant: str) -> str:
    """Return the id of the job that finds how a pipeline's variant reads a video fastest."""
    return f"{pipeline}/{variant}/configure"


def prepare_reference(plan: Plan, network: Network) -> list[PlannedJob]:
    """Return the jobs that all variants of a network need: the reference evaluated, and conversions."""
    jobs = [_evaluate_reference(plan, network)]
    toolchains = [(each.target, each.toolchain) for each in plan.optimizations.values()]
    wanted = list(dict.fromkeys(toolchains))
    strangers = [pair for pair in wanted if network.format not in plan.targets[pair[0]].formats]
    wishes = dict.fromkeys(_onnx_wish(plan, network, *pair) for pair in strangers)
    jobs += [_convert_to_onnx(plan, network, wish) for wish in wishes]
    return [*jobs, *(_convert(plan, network, target, toolchain) for target, toolchain in wanted)]


def prepare_variant(plan: Plan, network: Network, variant: str) -> list[PlannedJob]:
    """Return the jobs that make and evaluate a variant of a network.

    Where its target predicts qualities, that comes before what takes a device, which may not be there.
    """
    jobs = [_optimize(plan, network, variant)]
    if plan.targets[plan.optimizations[variant].target].predicts:
        jobs.append(_predict(plan, network, variant))
    preparation = plan.preparation_of(plan.optimizations[variant])
    if preparation is not None:
        jobs.append(_compile(plan, network, variant, preparation))
    return [*jobs, _evaluate(plan, network, variant)]


def measure_round(plan: Plan, number: int) -> list[PlannedJob]:
    """Return the measuring jobs of one round: for each model the reference and every variant."""
    return [measure_once(plan, model, variant, number) for model in plan.models for variant in plan.variants]


def judge_pipeline(plan: Plan, variant: str) -> list[PlannedJob]:
    """Return the jobs that judge the quality of the pipeline's variant.

    Before a stream is judged its settings are found: it is judged as it will run. The reference has none.
    """
    if plan.recipe.stream is None:
        return [_evaluate_pipeline(plan, variant)]
    found = [] if variant == REFERENCE_VARIANT else [_configure(plan, variant, plan.recipe.stream)]
    return [*found, _evaluate_stream(plan, variant, plan.recipe.stream)]


def _evaluate_pipeline(plan: Plan, variant: str) -> PlannedJob:
    assert plan.pipeline is not None
    model, images = plan.pipeline.name, plan.recipe.measure.images or None
    inputs = _networks_of(plan, model, variant)
    is_reference = variant == REFERENCE_VARIANT
    parameters = PipelineEvaluate(_pipeline_files(plan, inputs), "inputs/data/test", images, is_reference)
    inputs["data/test"] = DataInput(model, "test")
    return PlannedJob(_job(plan, model, variant, evaluate_id(model, variant), parameters), inputs, variant)


def _configure(plan: Plan, variant: str, stream: Stream) -> PlannedJob:
    assert plan.pipeline is not None
    model = plan.pipeline.name
    inputs, files = _stream_inputs(plan, variant, stream)
    parameters = StreamConfigure(files, stream.search_s)
    return PlannedJob(_job(plan, model, variant, configure_id(model, variant), parameters), inputs, variant)


def _evaluate_stream(plan: Plan, variant: str, stream: Stream) -> PlannedJob:
    assert plan.pipeline is not None
    model, is_reference = plan.pipeline.name, variant == REFERENCE_VARIANT
    inputs, files = _stream_inputs(plan, variant, stream)
    settings = _with_settings(model, variant, inputs)
    if not is_reference:
        inputs[READINGS_INPUT] = OutputInput(evaluate_id(model, REFERENCE_VARIANT), REFERENCE_READINGS)
    truth = None if is_reference else f"inputs/{READINGS_INPUT}"
    parameters = StreamEvaluate(files, settings, truth, is_reference)
    return PlannedJob(_job(plan, model, variant, evaluate_id(model, variant), parameters), inputs, variant)


def _measure_stream(plan: Plan, variant: str, number: int, stream: Stream) -> PlannedJob:
    assert plan.pipeline is not None
    model = plan.pipeline.name
    inputs, files = _stream_inputs(plan, variant, stream)
    settings = _with_settings(model, variant, inputs)
    parameters = StreamBenchmark(files, plan.recipe.measure.warmup, stream.burst_s, settings)
    job = _job(plan, model, variant, f"{model}/{variant}/{STREAM.name}/{number}", parameters)
    return PlannedJob(job, inputs, variant, number)


def _stream_inputs(plan: Plan, variant: str, stream: Stream) -> tuple[dict[str, JobInput], StreamFiles]:
    """Return what a job of a stream is given: the networks and the video."""
    assert plan.pipeline is not None
    inputs = _networks_of(plan, plan.pipeline.name, variant)
    files = _pipeline_files(plan, inputs)
    inputs[CLIP] = ClipInput(plan.pipeline.name)
    # The reference reads each frame: what tracking costs and brings is seen beside that.
    tracking = Tracking() if variant == REFERENCE_VARIANT else stream.tracking
    return inputs, StreamFiles(files, f"inputs/{CLIP}", tracking, stream.frames or None)


def _with_settings(pipeline: str, variant: str, inputs: dict[str, JobInput]) -> str | None:
    """Add what `configure` left to a job's inputs, and return its folder; the reference runs without."""
    if variant == REFERENCE_VARIANT:
        return None
    inputs[SETTINGS] = OutputInput(configure_id(pipeline, variant))
    return f"inputs/{SETTINGS}"


def measure_once(plan: Plan, model: str, variant: str, number: int) -> PlannedJob:
    """Return the job that measures a model's variant in a round."""
    if plan.is_pipeline(model) and plan.recipe.stream is not None:
        return _measure_stream(plan, variant, number, plan.recipe.stream)
    measure = plan.recipe.measure
    inputs = _networks_of(plan, model, variant)
    parameters: Parameters
    if plan.is_pipeline(model):
        files = _pipeline_files(plan, inputs)
        inputs["data/test"] = DataInput(model, "test")
        images = measure.images or None
        parameters = PipelineBenchmark(files, "inputs/data/test", measure.warmup, measure.burst_s, images)
    else:
        inputs[REFERENCE_INPUT] = _reference_outputs(model)
        reference = f"inputs/{REFERENCE_INPUT}"
        parameters = NetworkBenchmark(
            _files(plan.networks[model]), reference, measure.warmup, measure.burst_s
        )
    job = _job(plan, model, variant, benchmark_id(model, variant, number), parameters)
    return PlannedJob(job, inputs, variant, number)


def _networks_of(plan: Plan, model: str, variant: str) -> dict[str, JobInput]:
    """Return what each network of a model's variant is loaded from, by its name."""
    inputs: dict[str, JobInput] = {}
    for name, own_variant in plan.network_variants(model, variant).items():
        made = own_variant != REFERENCE_VARIANT
        inputs[name] = OutputInput(made_id(plan, name, own_variant)) if made else GraphInput(name)
    return inputs


def _pipeline_files(plan: Plan, networks: Iterable[str]) -> PipelineFiles:
    assert plan.pipeline is not None
    return PipelineFiles(plan.pipeline.nodes, tuple(_files(plan.networks[name]) for name in networks))


def _job(plan: Plan, model: str, variant: str, job_id: str, parameters: Parameters) -> Job:
    """Return a job of a variant, in the toolchain that the variant is of."""
    if variant == REFERENCE_VARIANT:
        optimization = Optimization(variant, toolchain=plan.reference_toolchain, target=REFERENCE_TARGET)
    else:
        optimization = _optimization_of(plan, model, variant)
    return Job(
        id=job_id,
        model=model,
        target=optimization.target,
        toolchain=optimization.toolchain,
        method=optimization.method,
        threads=plan.recipe.measure.threads,
        parameters=parameters,
    )


def _prepared_job(plan: Plan, network: str, variant: str, job_id: str, parameters: Parameters) -> Job:
    """Return a job of a variant in what prepares for its toolchain, or in that itself where nothing does."""
    job = _job(plan, network, variant, job_id, parameters)
    preparation = plan.preparation_of(plan.optimizations[variant])
    if preparation is None:
        return job
    return replace(job, target=preparation.target, toolchain=preparation.toolchain)


def _optimization_of(plan: Plan, model: str, variant: str) -> Optimization:
    """Return a variant's optimization; a combination has the recipe's target, and its name for a method."""
    default = Optimization(variant, toolchain=plan.toolchain, target=plan.target.name)
    return plan.optimizations.get(variant, default)


def _reference_outputs(network: str) -> OutputInput:
    return OutputInput(evaluate_id(network, REFERENCE_VARIANT), REFERENCE_OUTPUTS)


def _tolerance(network: Network, limit: float) -> Tolerance:
    """Return how far a network's outputs may be from the reference's.

    Args:
        limit: for a network that computes in float32.
    """
    return Tolerance(f"inputs/{REFERENCE_INPUT}", max(limit, COARSE_TOLERANCE.get(network.arithmetic, limit)))


def _files(network: Network) -> NetworkFiles:
    return NetworkFiles(network, f"inputs/{network.name}")


def _evaluate_reference(plan: Plan, network: Network) -> PlannedJob:
    samples = plan.recipe.measure.samples or None
    parameters = Evaluate(_files(network), "inputs/data/test", samples, is_reference=True)
    job = _job(
        plan, network.name, REFERENCE_VARIANT, evaluate_id(network.name, REFERENCE_VARIANT), parameters
    )
    inputs: dict[str, JobInput] = {
        network.name: GraphInput(network.name),
        "data/test": DataInput(network.name, "test"),
    }
    return PlannedJob(job, inputs, REFERENCE_VARIANT)


def _onnx_wish(plan: Plan, network: Network, target: str, toolchain: str) -> OnnxWish:
    """Return how a toolchain wants the ONNX of a network; the recipe may have chosen the opset."""
    wish = plan.targets[target].toolchains[toolchain].onnx
    if target == plan.target.name and OPSET in plan.conversions[network.name]:
        wish = replace(wish, opset=plan.conversions[network.name][OPSET])
    # A graph that has its channels first already is left as it is.
    return replace(wish, layout=None) if wish.layout == network.input.layout else wish


def _convert_to_onnx(plan: Plan, network: Network, wish: OnnxWish) -> PlannedJob:
    """Return the job of the reference that makes ONNX of a format that a target does not read."""
    tolerance = _tolerance(network, CONVERSION_TOLERANCE)
    asked = {"opset": wish.opset, "layout": wish.layout}
    options = {key: value for key, value in asked.items() if value is not None}
    parameters = Convert(_files(network), tolerance, options)
    job = _job(plan, network.name, REFERENCE_VARIANT, _to_onnx_id(network.name, wish), parameters)
    inputs: Mapping[str, JobInput] = {
        network.name: GraphInput(network.name),
        REFERENCE_INPUT: _reference_outputs(network.name),
    }
    return PlannedJob(job, inputs, REFERENCE_VARIANT)


def _to_onnx_id(network: str, wish: OnnxWish) -> str:
    opset = f"opset{wish.opset}" if wish.opset is not None else ""
    asked = "-".join(filter(None, (opset, wish.layout)))
    return f"{network}/{REFERENCE_VARIANT}/convert" + (f"/{asked}" if asked else "")


def _convert(plan: Plan, network: Network, target: str, toolchain: str) -> PlannedJob:
    reads_it = network.format in plan.targets[target].formats
    source: JobInput = GraphInput(network.name)
    taken = network
    if not reads_it:
        wish = _onnx_wish(plan, network, target, toolchain)
        source = OutputInput(_to_onnx_id(network.name, wish))
        spec = network.input.in_layout(wish.layout or network.input.layout)
        # What the reference made has its constants in it.
        taken = replace(network, graph=ONNX_GRAPH, input=spec, constants={})
    tolerance = _tolerance(network, plan.targets[target].toolchains[toolchain].tolerance)
    given = plan.conversions[network.name] if target == plan.target.name else {}
    options = {key: value for key, value in given.items() if key != OPSET}
    preparation = plan.targets[target].toolchains[toolchain].preparation
    if preparation is not None:
        options.update(preparation.conversion)
    job = Job(
        id=convert_id(network.name, target, toolchain),
        model=network.name,
        target=preparation.target if preparation else target,
        toolchain=preparation.toolchain if preparation else toolchain,
        method=CONVERSION,
        threads=plan.recipe.measure.threads,
        parameters=Convert(_files(taken), tolerance, options),
    )
    return PlannedJob(job, {network.name: source, REFERENCE_INPUT: _reference_outputs(network.name)}, None)


def _optimize(plan: Plan, network: Network, variant: str) -> PlannedJob:
    optimization = plan.optimizations[variant]
    method = method_of(plan.targets, optimization)
    schema = plan.targets[optimization.target].option_schema(method.name, optimization.toolchain)
    converted = convert_id(network.name, optimization.target, optimization.toolchain)
    inputs: dict[str, JobInput] = {network.name: OutputInput(converted)}
    for split in method.data:
        inputs[f"data/{split}"] = DataInput(network.name, split)
    if method.tunes:
        inputs["tuning"] = TuningInput(network.name, optimization.target)
    start = _start_of(plan, variant)
    if start is not None:
        inputs[START] = OutputInput(optimize_id(network.name, start), is_optional=True)
    options = with_defaults(optimization.options, schema)
    for name in plan.targets[optimization.target].compiling:
        options.pop(name, None)
    parameters = Optimize(
        _files(network),
        options,
        {split: f"inputs/data/{split}" for split in method.data},
        Tuning("inputs/tuning", plan.recipe.tracker) if method.tunes else None,
        f"inputs/{START}" if start is not None else None,
    )
    job = _prepared_job(plan, network.name, variant, optimize_id(network.name, variant), parameters)
    return PlannedJob(job, inputs, variant)


def _compile(plan: Plan, network: Network, variant: str, preparation: Preparation) -> PlannedJob:
    optimization = plan.optimizations[variant]
    schema = plan.targets[optimization.target].option_schema(optimization.method, optimization.toolchain)
    parameters = Compile(
        _files(network),
        with_defaults(optimization.options, schema),
        COMPILE_CACHE,
        preparation.is_ahead_of_time,
    )
    job = _job(plan, network.name, variant, compile_id(network.name, variant), parameters)
    inputs: Mapping[str, JobInput] = {network.name: OutputInput(optimize_id(network.name, variant))}
    return PlannedJob(job, inputs, variant)


def _start_of(plan: Plan, variant: str) -> str | None:
    """Return the variant that a variant's method may go on from, of those that are made before it; or None.

    It is of the method that target.json names, with the options that the two methods share.
    """
    own = plan.optimizations[variant]
    wanted = method_of(plan.targets, own).starts_from.get(own.toolchain)
    if wanted is None:
        return None
    target = plan.targets[own.target]
    schema = target.option_schema(wanted, own.toolchain)
    options = with_defaults(own.options, target.option_schema(own.method, own.toolchain))
    shared = {name: value for name, value in options.items() if name in schema["properties"]}
    for name in list(plan.optimizations)[: list(plan.optimizations).index(variant)]:
        other = plan.optimizations[name]
        is_wanted = (other.target, other.toolchain, other.method) == (own.target, own.toolchain, wanted)
        if is_wanted and with_defaults(other.options, schema) == shared:
            return name
    return None


def _evaluate(plan: Plan, network: Network, variant: str) -> PlannedJob:
    method = method_of(plan.targets, plan.optimizations[variant])
    inputs: dict[str, JobInput] = {
        network.name: OutputInput(made_id(plan, network.name, variant)),
        "data/test": DataInput(network.name, "test"),
    }
    tolerance = None
    if method.tolerance is not None:
        inputs[REFERENCE_INPUT] = _reference_outputs(network.name)
        tolerance = _tolerance(network, method.tolerance)
    samples = plan.recipe.measure.samples or None
    parameters = Evaluate(_files(network), "inputs/data/test", samples, tolerance)
    return PlannedJob(
        _job(plan, network.name, variant, evaluate_id(network.name, variant), parameters), inputs, variant
    )


def _predict(plan: Plan, network: Network, variant: str) -> PlannedJob:
    """Return the job that predicts a variant's quality; it decides nothing, so no verdict waits for it."""
    inputs: dict[str, JobInput] = {
        network.name: OutputInput(optimize_id(network.name, variant)),
        "data/test": DataInput(network.name, "test"),
    }
    samples = min(plan.recipe.measure.samples or PREDICTED_SAMPLES, PREDICTED_SAMPLES)
    parameters = Predict(_files(network), "inputs/data/test", samples)
    job = _prepared_job(plan, network.name, variant, predict_id(network.name, variant), parameters)
    return PlannedJob(job, inputs, None)
