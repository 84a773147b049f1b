"""Results as files: whoever looks finds what was there before, or the whole new one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO

from learnae.errors import OperatorError


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write that takes its name only once everything is written; after an error nothing of it stays.

    Raises:
        OperatorError: It cannot be written.
    """
    try:
        descriptor, name = mkstemp(dir=path.parent, prefix=f".{path.name}.")
        draft = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            draft.chmod(0o666 & ~_umask())
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise OperatorError(f"{path}: cannot be written: {exc.strerror or exc}; name another file with --out") from exc


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
