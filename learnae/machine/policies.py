"""What a policy names: the latest files, or the best one."""

from collections.abc import Mapping


def newest(last: int | None, serials: Mapping[str, int]) -> frozenset[str]:
    """Return the keys of the files that came last.

    Args:
        last: How many; ``None`` for all.
        serials: For each file a number that grows from one to the next.
    """
    if last is None or last >= len(serials):
        return frozenset(serials)
    by_age = sorted(serials, key=lambda key: (serials[key], key))
    return frozenset(by_age[len(by_age) - last :])
