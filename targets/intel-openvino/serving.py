"""What loads an artifact; needs OpenVINO's runtime alone, and nothing of what measures."""

from __future__ import annotations

from ir_loader import IrLoader

from shared.inference.loading import Loaders

_LOADER = IrLoader()
LOADERS = Loaders(_LOADER, _LOADER)
