"""GStreamer's module for Python, which comes with Debian and Ubuntu and not from a package index."""

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstPbutils", "1.0")
# What is there to be imported depends on the versions that were asked for.
from gi.repository import GLib, Gst, GstPbutils  # noqa: E402

__all__ = ["GLib", "Gst", "GstPbutils"]
