"""The command line. Each command imports what it needs when it runs, not before."""

from dipgate.cli.root import main

__all__ = ["main"]
