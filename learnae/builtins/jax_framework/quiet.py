"""Keeps JAX from talking: a peer's stderr is for its operator."""

import os
import warnings


def hush() -> None:
    """Silence what XLA logs below a fatal error, and what JAX says of a damaged cache entry; call it before JAX is imported.

    What the operator set in the environment stays. A cache entry that another process is still writing, or was killed while it
    wrote, cannot be read; JAX then compiles anew, which is all that is needed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache entry", category=UserWarning)
