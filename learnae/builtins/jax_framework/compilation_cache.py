"""Compiled programs that outlive the process, so that many peers on one machine compile once."""

from collections.abc import Mapping
from pathlib import Path

import jax
import platformdirs
from jax.experimental.compilation_cache import compilation_cache

from learnae.errors import ConfigError


def switch_compilation_cache(folder: object) -> None:
    """Point JAX's persistent compilation cache at a folder, for this whole process.

    Args:
        folder: Where to keep programs; JAX makes it when the first is written. ``None`` means the user's cache folder of this
            machine, ``off`` leaves the cache off.

    Raises:
        ConfigError: Not text.
    """
    if not (folder is None or isinstance(folder, str)):
        msg = f"plugins.jax.compilation_cache = {folder!r} cannot be used; accepted: a folder, or 'off'"
        raise ConfigError(msg)
    if folder == "off":
        _set({"jax_enable_compilation_cache": False})
        return
    path = Path(folder).expanduser() if folder else platformdirs.user_cache_path("learnae") / "jax"
    _set(
        {
            "jax_enable_compilation_cache": True,
            "jax_compilation_cache_dir": str(path),
            "jax_persistent_cache_min_compile_time_secs": 0.0,
            "jax_persistent_cache_min_entry_size_bytes": -1,
        }
    )


def _set(settings: Mapping[str, object]) -> None:
    before = {key: getattr(jax.config, key) for key in settings}
    if before == settings:
        return
    for key, value in settings.items():
        jax.config.update(key, value)  # type: ignore[no-untyped-call]  # JAX leaves it untyped
    # JAX looks at its settings only once, when it first compiles.
    compilation_cache.reset_cache()
