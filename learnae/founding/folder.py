"""A session's folder: ``session.json``, ``learnae.toml``, perhaps ``session.secret``, and later the peer's ``state``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from learnae.codec.files import FOR_ALL, create, read_small
from learnae.codec.manifests import session_id, write_manifest
from learnae.codec.seal import new_secret, read_secret, write_secret
from learnae.config.resolve import MAX_FILE_BYTES
from learnae.config.settings import PeerSection, PeerSettings
from learnae.config.template import PluginSetting, commented_toml
from learnae.config.training import TrainingSection
from learnae.errors import ConfigError, TooLargeError
from learnae.values.ids import SessionId
from learnae.values.manifest import Manifest

MANIFEST, SETTINGS, SECRET, STATE = "session.json", "learnae.toml", "session.secret", "state"


@dataclass(frozen=True, slots=True)
class Founded:
    """What stands in a session's folder.

    Attributes:
        session: The session's id.
        manifest: Its manifest's file, to be given to everybody who takes part.
        settings: The founder's own settings.
        secret: The secret's file, if the session has one.
    """

    session: SessionId
    manifest: Path
    settings: Path
    secret: Path | None


def secret_in(out: Path) -> bytes:
    """Return the secret of a session's folder, or draw one and keep it there, readable for its owner only.

    Raises:
        ConfigError: The folder cannot be made or written, or what is there is no secret.
    """
    _make(out)
    path = out / SECRET
    if path.exists():
        return read_secret(path)
    secret = new_secret()
    write_secret(path, secret)
    return secret


def write_folder(
    out: Path,
    manifest: Manifest,
    *,
    data: Path,
    framework: str | None = None,
    model: str | None = None,
    options: Mapping[str, PluginSetting] | None = None,
) -> Founded:
    """Write the manifest and the founder's commented ``learnae.toml``; equal files that are there already are left alone.

    Args:
        out: The folder, which is made if it is not there; for a session with a secret ``secret_in`` has put that there.
        manifest: The session.
        data: The founder's rows.
        framework: The framework to train with, if not the default one.
        model: ``module:function`` of a custom architecture.
        options: Dotted key to a plugin's option (``Plugins.options()``): they appear, commented out.

    Raises:
        ConfigError: A file of another content is there, or one cannot be written.
    """
    _make(out)
    secret = out / SECRET if manifest.secret_check is not None else None
    training = TrainingSection(model=model) if framework is None else TrainingSection(model=model, framework=framework)
    peer = PeerSection(data=_seen_from(out, data), state=Path(STATE), secret_file=None if secret is None else Path(SECRET))
    text = commented_toml(PeerSettings(peer=peer, training=training), options)
    settings = out / SETTINGS
    is_there = _is_there(settings, text.encode())
    write_manifest(out / MANIFEST, manifest)
    if not is_there:
        try:
            create(settings, text.encode(), mode=FOR_ALL)
        except OSError as exc:
            raise ConfigError(f"{settings}: cannot be written: {exc.strerror or exc}") from exc
    return Founded(session_id(manifest), out / MANIFEST, settings, secret)


def _seen_from(out: Path, data: Path) -> Path:
    """Name the rows relative to the folder if they lie in it, so that it can be carried about as a whole."""
    folder, rows = out.resolve(), data.resolve()
    return rows.relative_to(folder) if rows.is_relative_to(folder) else rows


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"{out}: the folder cannot be made: {exc.strerror or exc}") from exc


def _is_there(path: Path, content: bytes) -> bool:
    """Say whether a file is there and is the same.

    Raises:
        ConfigError: It is there and is another one.
    """
    try:
        if read_small(path, max_bytes=MAX_FILE_BYTES) == content:
            return True
    except FileNotFoundError:
        return False
    except (OSError, TooLargeError) as exc:
        raise ConfigError(f"{path}: cannot be read: {exc}") from exc
    raise ConfigError(f"{path}: other settings are there, and are not overwritten; choose another folder with --out")
