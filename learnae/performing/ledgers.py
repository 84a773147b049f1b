"""A peer's ledgers, and whether they can carry what its session allows."""

from dataclasses import dataclass

from learnae.codec.slices import largest_slice
from learnae.codec.weights import weights_size
from learnae.config.settings import PeerSettings
from learnae.errors import ConfigError
from learnae.interfaces.storage import Storage
from learnae.interfaces.transport import Transport
from learnae.performing.opening import is_sharing
from learnae.performing.performer import Session
from learnae.values.choices import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledgers:
    """Where messages and files go, opened, and by which names the operator knows them; the first storage takes the own files."""

    transport: Transport
    storages: tuple[Storage, ...]
    transport_name: str
    storage_name: str


def check_room(settings: PeerSettings, session: Session, ledgers: Ledgers) -> None:
    """Refuse ledgers that cannot carry what this peer may have to send: better now than in the middle of the session.

    Raises:
        ConfigError: A message or a file that the manifest allows is too large for them.
    """
    manifest, limits, overhead = session.manifest, session.manifest.limits, session.seal.overhead
    most = ledgers.transport.max_message_bytes
    if limits.announcement_bytes + overhead > most:
        raise ConfigError(
            f"limits.announcement_bytes = {limits.announcement_bytes}: with {overhead} bytes of seal that is more than the "
            f"transport {ledgers.transport_name!r} takes, {most} bytes a message; choose another --transport"
        )
    files = {"limits.board_bytes": limits.board_bytes}
    if settings.peer.role is not Role.FEEDER:
        files["the size of a model"] = weights_size(manifest)
    if is_sharing(settings, manifest):
        files["limits.hashlist_bytes"] = limits.hashlist_bytes
        files["the size of a dataslice"] = largest_slice(manifest)
    most = ledgers.storages[0].max_file_bytes
    for name, size in files.items():
        if size + overhead > most:
            raise ConfigError(
                f"{name} = {size}: with {overhead} bytes of seal that is more than the storage {ledgers.storage_name!r} takes, "
                f"{most} bytes a file; choose another --storage"
            )
