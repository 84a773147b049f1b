"""How sizes are written for people."""


def megabytes(count: int) -> str:
    """Write a number of bytes, such as ``3.1 MB``; the unit is a power of thousand."""
    if count < 1_000:
        return f"{count} bytes"
    for size, unit in ((1_000_000_000, "GB"), (1_000_000, "MB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1_000:.1f} kB"
