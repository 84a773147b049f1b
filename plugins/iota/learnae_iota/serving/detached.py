"""Becomes another program that is nobody's child: ``detached.py PROGRAM ARGUMENT...``.

Run as a file and without ``site``, so that it costs a few milliseconds, and forks before there are threads. Whoever started it
need neither wait for the program nor bury it.
"""

import os
import sys

if __name__ == "__main__" and os.fork() == 0:
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606  # a list of arguments, no shell
