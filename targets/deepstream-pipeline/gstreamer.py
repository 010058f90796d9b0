"""GStreamer's module for Python, which comes with Debian and Ubuntu and not from a package index."""

import importlib.util
import sys

from shared.inference.session import Unsupported

DEBIAN = "/usr/lib/python3/dist-packages"
"""Where its packages put modules for their own Python; an environment of the same release can use them."""

if importlib.util.find_spec("gi") is None:
    sys.path.append(DEBIAN)
try:
    import gi

    gi.require_version("Gst", "1.0")
    # What is there to be imported depends on the version that was asked for.
    from gi.repository import Gst
except (ImportError, ValueError) as error:
    raise Unsupported(f"GStreamer cannot be used here ({error}): ./inv doctor names its packages") from None

__all__ = ["Gst"]
