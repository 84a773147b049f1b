"""Sizes that arrays are padded to, so that few different programs are compiled."""

_LEAST = 16


def bucket(size: int) -> int:
    """Return the least of 16, 20, 24, 28, 32, 40, 48, 56, 64, … that is not below ``size``: four sizes for each doubling.

    At most a quarter of a padded array is padding, from 16 up.
    """
    if size <= _LEAST:
        return _LEAST
    quarter = 1 << ((size - 1).bit_length() - 3)
    return -(-size // quarter) * quarter
