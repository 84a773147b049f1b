"""From settings and stored state to what a machine and a workshop begin with: the same for both drivers."""

import hashlib
from typing import Final

from learnae.config.settings import PeerSettings
from learnae.errors import DamagedError, StateError
from learnae.machine.rules import Rules
from learnae.performing.store import OwnModel
from learnae.performing.workshop import Workshop
from learnae.values.ids import Digest, PeerId, SessionId
from learnae.values.journal import PeerStarted
from learnae.values.manifest import Manifest

STREAM_SPACING: Final = 1_000
"""Passes between two over one dataslice where sensors are read: more than most streams have without a pause."""


def is_sharing(settings: PeerSettings, manifest: Manifest) -> bool:
    """Say whether rows may leave the peer: both the manifest and the operator must allow it."""
    return manifest.sharing and not settings.peer.private


def make_rules(settings: PeerSettings, manifest: Manifest, session: SessionId, peer: PeerId, initial: Digest) -> Rules:
    """Say what the machine is told."""
    network, averaging = settings.network, settings.averaging
    return Rules(
        session=session,
        peer=peer,
        role=settings.peer.role,
        initial=initial,
        sharing_allowed=manifest.sharing,
        sharing=is_sharing(settings, manifest),
        judge=manifest.judge,
        min_gain=manifest.min_gain,
        passes=manifest.passes,
        overuse_threshold=manifest.overuse_threshold,
        limits=manifest.limits,
        seed=int.from_bytes(hashlib.blake2b(f"{session}/{peer}".encode(), digest_size=8).digest(), "big"),
        train_probability=averaging.train_probability,
        averaging=averaging.policy,
        soup_size=averaging.soup_size,
        slices_per_cycle=settings.training.slices_per_cycle,
        pass_spacing=_pass_spacing(settings),
        pass_hold_s=settings.training.pass_hold_s,
        expect_peers=network.expect_peers,
        quiet_period_s=network.quiet_period_s,
        presence_interval_s=network.presence_interval_s,
        retry_s=network.retry_s,
        retention_s=network.retention_s,
        persistency=settings.keeping.persistency,
        max_fetches=network.max_fetches,
        allow=frozenset(settings.peer.allow),
    )


def _pass_spacing(settings: PeerSettings) -> int:
    given = settings.training.pass_spacing
    if given is not None:
        return given
    return STREAM_SPACING if settings.network.sensors else 0


def resume_model(workshop: Workshop, stored: OwnModel | None, *, own: Digest, initial: Digest) -> None:
    """Put the own model into the workshop, as it was last made durable.

    Raises:
        StateError: It is missing or damaged.
    """
    if stored is not None:
        try:
            workshop.resume(stored)
        except DamagedError as exc:
            raise StateError(f"the peer's state is damaged: {exc}; move the state folder away to start afresh") from exc
    if own != (stored.model if stored is not None else initial):
        raise StateError("the peer's state is damaged: its own model is missing; move the state folder away to start afresh")
    workshop.keep_only(own)


def peer_started(
    settings: PeerSettings,
    manifest: Manifest,
    session: SessionId,
    *,
    transport: str,
    storage: str,
    resumed: bool,
    cycle: int,
    queued: int,
) -> PeerStarted:
    """Say for the journal what begins, or begins again."""
    return PeerStarted(
        session=session,
        role=settings.peer.role,
        framework=settings.training.framework,
        transport=transport,
        storage=storage,
        sharing=is_sharing(settings, manifest),
        averaging=settings.averaging.policy,
        judge=manifest.judge,
        resumed=resumed,
        cycle=cycle,
        queued=queued,
    )
