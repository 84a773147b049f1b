"""Whole numbers that say in themselves where they end: MAM's "pascal" encoding."""

import numpy as np

from learnae.errors import DamagedError, UsageError
from learnae_iota.trinary.trytes import Trits

MAX_GROUPS = 12
"""Groups of three trits in the longest number that is read: it is below 27 ** 12, more than 53 bits."""

_ZERO = [1, 0, 0, -1]
_LARGEST = (27**MAX_GROUPS - 1) // 2


def _value(trits: list[int]) -> int:
    return sum(trit * 3**position for position, trit in enumerate(trits))


def _balanced(number: int, length: int) -> list[int]:
    trits = []
    for _ in range(length):
        number, digit = divmod(number + 1, 3)
        trits.append(digit - 1)
    return trits


def encode(number: int) -> Trits:
    """Encode a number.

    Args:
        number: 0 … (27 ** 12 - 1) / 2.

    Returns:
        ``int8``, ``[4 * groups]``.

    Raises:
        UsageError: It is negative or too large.
    """
    if not 0 <= number <= _LARGEST:
        message = f"{number} is not a number from 0 to {_LARGEST}"
        raise UsageError(message)
    if number == 0:
        return np.array(_ZERO, dtype=np.int8)
    count = 1
    while number > (27**count - 1) // 2:
        count += 1
    trits = _balanced(number, 3 * count)
    flags = 0
    for group in range(count - 1):
        part = slice(3 * group, 3 * group + 3)
        if _value(trits[part]) >= 0:
            trits[part] = [-trit for trit in trits[part]]
            flags |= 1 << group
    return np.array(trits + _balanced(flags, count), dtype=np.int8)


def decode(trits: Trits, start: int) -> tuple[int, int]:
    """Decode the number at a position; not more than 48 trits are looked at, whatever they are.

    Args:
        trits: ``int8``, ``[n]``.
        start: Where it begins.

    Returns:
        The number, and the position behind it.

    Raises:
        DamagedError: No number that ``encode`` writes begins there.
    """
    seen = trits[start : start + 4 * MAX_GROUPS].tolist()
    if seen[:4] == _ZERO:
        return 0, start + 4
    groups: list[int] = []
    while len(groups) < MAX_GROUPS and 3 * len(groups) + 3 <= len(seen):
        groups.append(_value(seen[3 * len(groups) : 3 * len(groups) + 3]))
        if groups[-1] > 0:
            length = 4 * len(groups)
            flags = _value(seen[3 * len(groups) : length])
            number = sum((-part if flags >> place & 1 else part) * 27**place for place, part in enumerate(groups))
            if 0 < number <= _LARGEST and encode(number).tolist() == seen[:length]:
                return number, start + length
            break
    message = f"there is no number at trit {start} of {len(trits)}"
    raise DamagedError(message)
