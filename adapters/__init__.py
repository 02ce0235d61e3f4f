"""Sources of the hospital, read through one protocol: `open_source(spec).read(sink, watermark)`.

An adapter keeps raw bytes through its sink before it hands over any row, decodes strictly by the
charset that the site declares, and sets a bad row aside with its place and what to do.
"""

from dipgate.adapters.registry import AdapterKind, adapter_kinds, adapter_of, open_source

__all__ = ["AdapterKind", "adapter_kinds", "adapter_of", "open_source"]
