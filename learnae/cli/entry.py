"""Where the program begins. Ctrl-C ends it without a word, also while it is still being loaded."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED_STATUS = 130
"""The exit status of a program that Ctrl-C ended: 128 + SIGINT, as shells have it, and typer."""


def main() -> None:
    """Run the command line and end the process."""
    try:
        with leaving_at_once():
            from learnae.cli.program import load

            app = load()
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED_STATUS)


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """Have Ctrl-C end the process at once, while modules are loaded and nothing is there to be tidied up.

    An exception would not do: what imports calls back may swallow it, or show it.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # whoever embeds the program, or has it ignore Ctrl-C, knows why
        return
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED_STATUS))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
