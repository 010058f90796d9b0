"""A recipe: one model or pipeline, one target, the optimizations to try, what the client requires."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Tuple, Union

from .codec import decode, encode
from .stages import Tracker
from .streaming import Tracking


@dataclass(frozen=True)
class Optimization:
    """One method with the options a recipe gives it.

    Attributes:
        toolchain: empty for the recipe's own, or the default of another target.
        target: empty for the recipe's own.
    """

    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    toolchain: str = ""
    target: str = ""

    @staticmethod
    def from_json(item: Union[str, Mapping[str, Any]]) -> "Optimization":
        if isinstance(item, str):
            return Optimization(item)
        options = {key: value for key, value in item.items() if key not in ("method", "toolchain", "target")}
        return Optimization(item["method"], options, item.get("toolchain", ""), item.get("target", ""))

    def to_json(self) -> Dict[str, Any]:
        own = {key: value for key, value in (("target", self.target), ("toolchain", self.toolchain)) if value}
        return {"method": self.method, **own, **self.options}


@dataclass(frozen=True)
class Search:
    """Try what the target offers instead of a list: every method with its sensible options.

    Attributes:
        time_budget_s: seconds in which candidates are made and tried; measuring the best of them comes after.
    """

    time_budget_s: int = 3600


@dataclass(frozen=True)
class Requirements:
    """What the client accepts.

    Attributes:
        max_drop: largest loss of the main metric against the reference, absolute (0.01 = one point).
        max_latency_ms: largest median time in milliseconds (of the pipeline, where there is one), or None.
        min_speedup: smallest speedup over the reference, or None.
        min_fps: smallest number of images or frames a second, or None.
    """

    max_drop: float = 0.01
    max_latency_ms: Optional[float] = None
    min_speedup: Optional[float] = None
    min_fps: Optional[float] = None


@dataclass(frozen=True)
class Measure:
    """How a recipe is measured.

    Attributes:
        threads: inference threads, for reference and variants alike; 0 takes every CPU this process may use.
        rounds: rounds at least; in each the reference and every variant are up in fresh processes.
        max_rounds: rounds at most, while a decision is open.
        cycles: bursts of each variant in a round; in a cycle each variant has one.
        burst_s: seconds that a burst takes at least.
        warmup: calls before the first burst at least, not timed.
        images: test images that a pipeline is judged and measured on; 0 takes the whole test split.
        samples: test samples that quality is judged on, the first; 0 takes the whole test split.
        time_limit_s: seconds that one job may take.
        memory_mb: memory that one job may take, in MB.
    """

    threads: int = 0
    rounds: int = 3
    max_rounds: int = 6
    cycles: int = 10
    burst_s: float = 0.2
    warmup: int = 5
    images: int = 0
    samples: int = 0
    time_limit_s: int = 3600
    memory_mb: int = 8192


@dataclass(frozen=True)
class Stream:
    """A pipeline's recipe that is for a video, and is measured on one in place of single images.

    Attributes:
        clip: a video file, relative to the workspace; None takes the pipeline's own.
        frames: of the video that are judged, the first; 0 takes all.
        interval, vote: as `Tracking` has them.
        search_s: seconds in which its settings are searched, for each variant.
        burst_s: seconds that a burst of a stream takes at least.
    """

    clip: Optional[str] = None
    frames: int = 0
    interval: int = 1
    vote: bool = False
    search_s: int = 60
    burst_s: float = 1.0

    @property
    def tracking(self) -> Tracking:
        return Tracking(self.interval, self.vote)


@dataclass(frozen=True)
class Recipe:
    """A recipe as it was read, defaults filled in.

    Attributes:
        name: the file's name without its ending.
        optimizations: to try; empty for a search.
        search: or None.
        conversion: how a network is converted; for a pipeline, by the name of the network.
        tracker: where the machines that are tuned on register; None tunes on this machine.
        device: the Docker context of the device that it is measured on; None for this machine.
        stream: None where single images are measured.
        file: path in messages.
    """

    name: str
    model: str
    target: str
    optimizations: Tuple[Optimization, ...]
    toolchain: str = ""
    description: str = ""
    requirements: Requirements = Requirements()
    measure: Measure = Measure()
    data: Optional[str] = None
    search: Optional[Search] = None
    conversion: Mapping[str, Any] = field(default_factory=dict)
    tracker: Optional[Tracker] = None
    device: Optional[str] = None
    stream: Optional[Stream] = None
    file: str = "recipe"

    @staticmethod
    def from_json(name: str, document: Mapping[str, Any], file: str = "recipe") -> "Recipe":
        """Build a recipe from a document that the recipe schema has accepted."""
        wanted = document["optimizations"]
        search = None
        if not isinstance(wanted, (list, tuple)):
            search = decode(Search, wanted["search"] if isinstance(wanted, Mapping) else {})
            wanted = ()
        tuning = document.get("tuning")
        return Recipe(
            name=name,
            model=document["model"],
            target=document["target"],
            optimizations=tuple(Optimization.from_json(item) for item in wanted),
            toolchain=document.get("toolchain", ""),
            description=document.get("description", ""),
            requirements=decode(Requirements, document.get("requirements", {})),
            measure=decode(Measure, document.get("measure", {})),
            data=document.get("data"),
            search=search,
            conversion=document.get("conversion", {}),
            tracker=Tracker(tuning["tracker"], tuning["key"]) if tuning else None,
            device=document.get("device"),
            stream=decode(Stream, document["stream"]) if "stream" in document else None,
            file=file,
        )

    def to_json(self) -> Dict[str, Any]:
        """Return the recipe as JSON, every default written out; `from_json` reads it back."""
        document: Dict[str, Any] = {
            "description": self.description,
            "model": self.model,
            "target": self.target,
            "toolchain": self.toolchain,
            "optimizations": [optimization.to_json() for optimization in self.optimizations],
            "requirements": _without_none(encode(self.requirements)),
            "measure": encode(self.measure),
        }
        if self.search is not None:
            document["optimizations"] = {"search": encode(self.search)}
        if self.conversion:
            document["conversion"] = dict(self.conversion)
        if self.tracker is not None:
            document["tuning"] = {"tracker": self.tracker.address, "key": self.tracker.key}
        if self.data is not None:
            document["data"] = self.data
        if self.device is not None:
            document["device"] = self.device
        if self.stream is not None:
            document["stream"] = _without_none(encode(self.stream))
        return document


def _without_none(document: Mapping[str, Any]) -> Dict[str, Any]:
    return {key: value for key, value in document.items() if value is not None}
