"""Entry points: find them and import what they name, one by one, so that a broken one breaks nothing else."""

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points

from learnae.plugins.listing import Failure, Source


def described(error: BaseException) -> str:
    """Write an exception in one line of at most 300 characters."""
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def load_plugins(group: str) -> Iterator[tuple[Source, object] | Failure]:
    """Import every plugin of a group of entry points, sorted by name and distribution.

    Returns:
        For each, where it comes from and the object that it names, or why there is none.
    """
    points, broken = _find(group)
    yield from broken
    sourced = ((_source(point), point) for point in points)
    for source, point in sorted(sourced, key=lambda pair: (pair[0].plugin, pair[0].distribution or "")):
        try:
            plugin = point.load()
        except (Exception, SystemExit) as error:  # whatever a stranger's module does when it is imported
            yield Failure(source=source, error=described(error))
        else:
            yield source, plugin


def _find(group: str) -> tuple[list[EntryPoint], list[Failure]]:
    try:
        return list(entry_points(group=group)), []
    except Exception:  # the metadata of one distribution is broken; find out which, and use the others
        return _find_one_by_one(group)


def _find_one_by_one(group: str) -> tuple[list[EntryPoint], list[Failure]]:
    points: list[EntryPoint] = []
    failures: list[Failure] = []
    met: set[str] = set()
    for distribution in distributions():
        name, version = _identity(distribution)
        if name in met:
            continue  # shadowed by one that comes earlier on the path
        met.add(name)
        try:
            points += [point for point in distribution.entry_points if point.group == group]
        except Exception as error:
            source = Source(plugin=name, distribution=name, version=version)
            failures.append(Failure(source=source, error=f"its list of entry points cannot be read: {described(error)}"))
    return points, failures


def _source(point: EntryPoint) -> Source:
    if point.dist is None:
        return Source(plugin=point.name)
    name, version = _identity(point.dist)
    return Source(plugin=point.name, distribution=name, version=version)


def _identity(distribution: Distribution) -> tuple[str, str]:
    """Return a distribution's normalised name and its version, also where its metadata is incomplete."""
    try:
        metadata = distribution.metadata
        name, version = metadata["Name"], metadata["Version"]
    except Exception:
        name, version = None, None
    return re.sub(r"[-_.]+", "-", name or "unknown").lower(), version or "unknown"
