"""What a recipe's `conversion` asks of the conversion of one network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.contract.errors import InputProblem
from shared.contract.model import Network

APPLIED_BEFORE = ("shape", "input", "outputs", "mean", "scale", "reverse_channels", "fold_preprocessing")
"""Keys that change the network (`Network.adapted`) or become others here."""


def conversion_options(network: Network, conversion: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the options of a network's `convert` job.

    Args:
        network: as the conversion has it run (`Network.adapted`).
        conversion: of this network, accepted by the target's schema; a key that only it knows is handed on.
        where: file and JSON path of the conversion, for messages.

    Raises:
        InputProblem: there are no channels to reverse.
    """
    fold = conversion.get("fold_preprocessing", False)
    takes_pixels = network.input.dtype == "uint8"
    options = {key: value for key, value in conversion.items() if key not in APPLIED_BEFORE}
    if (fold and not takes_pixels) or "mean" in conversion or "scale" in conversion:
        options["mean"] = list(network.input.mean)
        options["scale"] = list(network.input.scale)
    if conversion.get("reverse_channels", fold and network.input.channels == "RGB"):
        if network.input.channels == "GRAY":
            raise InputProblem("a grey image has no channels to reverse", f"{where}.reverse_channels")
        options["reverse_channels"] = True
    if fold and not takes_pixels:
        options["input_dtype"] = "uint8"
    return options
