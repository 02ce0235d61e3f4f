"""dipgate: from a hospital's records to a reconciled DIP settlement."""

from importlib.metadata import version

__version__ = version("dipgate")
