"""Numbers written in trytes: balanced, the least significant tryte first."""

from learnae_iota.trinary.trytes import ALPHABET

_BASE = 27
_DIGITS = "0123456789abcdefghijklmnopq"  # of Python's own base 27
_LETTERS = ALPHABET[14:] + ALPHABET[:14]  # of the values -13 … 13
_TO_DIGITS = str.maketrans(_LETTERS, _DIGITS)
_GROUP = 9
_GROUP_VALUES = _BASE**_GROUP


def largest(trytes: int) -> int:
    """Return the largest number that so many trytes can hold; the smallest is its negative."""
    return int(_BASE**trytes // 2)


def read_number(trytes: str) -> int:
    """Return the number that trytes hold.

    Args:
        trytes: At least one; only trytes.
    """
    return int(trytes[::-1].translate(_TO_DIGITS), _BASE) - largest(len(trytes))


def write_number(number: int, trytes: int) -> str:
    """Write a number as so many trytes.

    Args:
        number: From ``-largest(trytes)`` to ``largest(trytes)``.
        trytes: At least one.
    """
    rest, letters = number + largest(trytes), []
    for start in range(0, trytes, _GROUP):
        rest, group = divmod(rest, _GROUP_VALUES)
        for _ in range(min(_GROUP, trytes - start)):
            group, digit = divmod(group, _BASE)
            letters.append(_LETTERS[digit])
    return "".join(letters)
