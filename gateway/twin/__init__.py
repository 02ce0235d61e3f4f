"""The platform twin: a stranger with books of its own, which judges what we send."""

from dipgate.twin.serving import Twin, TwinOptions, open_twin, serve

__all__ = ["Twin", "TwinOptions", "open_twin", "serve"]
