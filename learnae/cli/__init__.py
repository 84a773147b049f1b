"""The command line: a thin shell around the library."""

from learnae.cli.entry import main

__all__ = ["main"]
