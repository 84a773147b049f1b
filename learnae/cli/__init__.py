"""The command line: a thin shell around the library."""

from learnae.cli.program import main

__all__ = ["main"]
