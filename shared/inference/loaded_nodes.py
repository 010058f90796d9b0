"""The nodes of a pipeline with their networks loaded, and what those run with."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Sequence

from shared.contract.codec import encode
from shared.contract.stages import NetworkFiles, PipelineFiles
from shared.inference.pipeline import LoadedNode
from shared.inference.session import Session


def load_nodes(pipeline: PipelineFiles, load: Callable[[NetworkFiles], Session]) -> List[LoadedNode]:
    """Load each network of a pipeline once."""
    return nodes_of(pipeline, {files.network.name: load(files) for files in pipeline.artifacts})


def nodes_of(pipeline: PipelineFiles, sessions: Mapping[str, Session]) -> List[LoadedNode]:
    """Return the nodes with their sessions, which are given by the networks' names."""
    networks = {files.network.name: files.network for files in pipeline.artifacts}
    return [LoadedNode(node, networks[node.network], sessions[node.network]) for node in pipeline.nodes]


def settings_of(session: Session) -> Dict[str, Any]:
    """Return what a session runs with, and what is done to an image outside of it, as JSON."""
    return {**session.settings, "input": encode(session.input)}


def settings_by_network(nodes: Sequence[LoadedNode]) -> Dict[str, Any]:
    """Return what each network runs with, by its name."""
    return {loaded.network.name: settings_of(loaded.session) for loaded in nodes}
