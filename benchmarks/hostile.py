"""Attack running peers with everything that strangers can write into a shared folder, and print what came of each.

``python benchmarks/hostile.py`` prints one line for each hostile input: what it was, what came of it, who was charged. It ends
with status 0 if every outcome was the right one, and the peer still trained, averaged and adopted afterwards.
"""

import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main([str(Path(__file__).parents[1] / "tests" / "hostile"), "-q", "-s", *sys.argv[1:]]))
