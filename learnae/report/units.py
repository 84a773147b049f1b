"""Numbers for people: bytes, seconds and scores in units that fit."""

_BYTES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))
_TIMES = ((3 * 86400.0, 86400.0, "days"), (3 * 3600.0, 3600.0, "h"), (300.0, 60.0, "min"), (0.0, 1.0, "s"))


def byte_unit(largest: float) -> tuple[float, str]:
    """Choose a decimal unit in which a number of bytes is at least 1: how many bytes it has, and its sign."""
    return next(((size, sign) for size, sign in _BYTES if largest >= size), (1.0, "B"))


def time_unit(longest: float) -> tuple[float, str]:
    """Choose a unit for stretches of up to some seconds: how many seconds it has, and its sign."""
    return next(((size, sign) for least, size, sign in _TIMES if longest >= least), (1.0, "s"))


def show_bytes(count: float) -> str:
    """Write a number of bytes, such as ``12.3 kB``."""
    size, sign = byte_unit(count)
    return f"{count:.0f} B" if size == 1.0 else f"{show_number(count / size, 1)} {sign}"


def show_seconds(seconds: float) -> str:
    """Write a stretch of time, such as ``42.0 s`` or ``7.5 min``."""
    size, sign = time_unit(seconds)
    return f"{show_number(seconds / size, 1)} {sign}"


def show_number(value: float, digits: int) -> str:
    """Write a number with some decimals; one that no table could hold, such as a broken model's loss, in powers of ten."""
    return f"{value:.{digits}f}" if abs(value) < 1e6 else f"{value:.0e}"


def show_count(count: int) -> str:
    """Write a whole number; one that no table could hold in powers of ten."""
    return show_number(count, 0)
