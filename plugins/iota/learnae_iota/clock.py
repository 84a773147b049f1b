"""The time of day."""

import time


def milliseconds() -> int:
    """Return the time in milliseconds since 1970, by this machine's clock."""
    return time.time_ns() // 1_000_000
