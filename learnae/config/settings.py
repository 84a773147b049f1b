"""The settings of a peer, section by section; each one's help stands here and nowhere else."""

from pathlib import Path
from typing import Annotated

import msgspec
import platformdirs
from msgspec import Meta

from learnae.config.duration import DURATION, parse_duration
from learnae.config.persistency import LAST, parse_policy
from learnae.config.training import Choice, Seconds, TrainingSection
from learnae.values.choices import Averaging, Role
from learnae.values.ids import PeerId, SessionId
from learnae.values.persistency import Persistency

Until = Annotated[
    str,
    Meta(
        pattern=rf"^(converged|forever|{DURATION})\Z",
        extra={"accepted": "converged, forever, or a duration such as 90s or 1h30m"},
    ),
]
Friend = Annotated[PeerId, Meta(pattern=r"^[0-9a-f]{64}\Z", extra={"accepted": "peer ids, 64 small hexadecimal digits each"})]
Wait = Annotated[float, Meta(ge=0.01, le=31_536_000.0)]
Models = Annotated[
    str, Meta(pattern=rf"^(all|{LAST}|best|none)\Z", extra={"accepted": "all, best, none, or last N such as last 3"})
]
Files = Annotated[str, Meta(pattern=rf"^(all|{LAST}|none)\Z", extra={"accepted": "all, none, or last N such as last 3"})]


class PeerSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The section ``[peer]``."""

    session: Annotated[Path, Meta(description="The session's manifest, as `learnae init` wrote it.")] = Path("session.json")
    data: Annotated[Path | None, Meta(description="Your rows: CSV, also gzipped, or Parquet. A trainer has none.")] = None
    state: Annotated[
        Path | None,
        Meta(
            description="Where identity, models and progress are kept; by default a folder of your user's, one for each session."
        ),
    ] = None
    role: Annotated[
        Role,
        Meta(description="full: train on your own rows. trainer: train on what others share. feeder: share rows, do not train."),
    ] = Role.FULL
    private: Annotated[
        bool | None,
        Meta(description="true keeps your rows to yourself; else the manifest decides. A peer is never laxer than the manifest."),
    ] = None
    skip_bad_rows: Annotated[
        bool, Meta(description="Leave out rows that do not fit the manifest, and count them, instead of stopping.")
    ] = False
    secret_file: Annotated[Path | None, Meta(description="The file with the session's secret, for a session that has one.")] = (
        None
    )
    allow: Annotated[
        Annotated[tuple[Friend, ...], Meta(max_length=4096)],
        Meta(description="The only peers to listen to; an empty list means all."),
    ] = ()
    until: Annotated[
        Until, Meta(description="When to stop: once nothing more can be gained for now, never, or after some time.")
    ] = "forever"

    @property
    def stop_after_s(self) -> float | None:
        """Seconds after which to stop, if ``until`` is a duration."""
        return None if self.until in {"converged", "forever"} else parse_duration(self.until)


class AveragingSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The section ``[averaging]``."""

    policy: Annotated[
        Averaging,
        Meta(description="pairwise: one remote model a cycle, as in the paper. soup: several, one after the other."),
    ] = Averaging.PAIRWISE
    soup_size: Annotated[int, Meta(ge=1, le=64, description="The most remote models that one cycle of soup folds in.")] = 4
    train_probability: Annotated[
        float, Meta(ge=0.0, le=1.0, description="How often to train when both training and averaging are possible.")
    ] = 0.5


class NetworkSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The section ``[network]``."""

    transport: Annotated[Choice, Meta(description="What carries announcements; `learnae plugins` lists what is installed.")] = (
        "localfs"
    )
    storage: Annotated[
        Choice | None, Meta(description="What keeps models and dataslices; by default the storage of the transport's name.")
    ] = None
    sensors: Annotated[
        Annotated[tuple[Choice, ...], Meta(max_length=64)], Meta(description="Sources of sensor readings to take in.")
    ] = ()
    expect_peers: Annotated[
        int, Meta(ge=0, le=1_000_000, description="Do not finish before so many other peers have been seen.")
    ] = 0
    quiet_period_s: Annotated[
        Seconds, Meta(description="Seconds without relevant news after which a peer with nothing to do finishes.")
    ] = 10.0
    presence_interval_s: Annotated[Wait, Meta(description="Seconds between two signs of life.")] = 5.0
    fetch_timeout_s: Annotated[
        Wait, Meta(description="Seconds after which a fetch is given up and tried elsewhere or later.")
    ] = 60.0
    retry_s: Annotated[
        Wait, Meta(description="Seconds before something that failed is tried again; the wait grows from there.")
    ] = 2.0
    retention_s: Annotated[
        Seconds, Meta(description="Seconds for which a replaced model stays available to those who are still fetching it.")
    ] = 600.0
    max_fetches: Annotated[int, Meta(ge=1, le=1024, description="The most fetches at a time.")] = 8
    measure_interval_s: Annotated[
        Seconds, Meta(description="Seconds between two measurements of ledgers that can tell traffic and holders; 0: never.")
    ] = 30.0


class KeepingSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The section ``[keeping]``: which files stay offered beside those that are current (paper, section 5: persistency)."""

    own_models: Annotated[
        Models, Meta(description="Which of your replaced models stay available after retention_s; the current one always does.")
    ] = "best"
    own_hashlists: Annotated[Files, Meta(description="Which of your replaced lists of dataslices stay, likewise.")] = "none"
    foreign_models: Annotated[
        Models, Meta(description="Which models of others that this peer fetched it offers too, for when their authors are away.")
    ] = "last 1"
    foreign_slices: Annotated[Files, Meta(description="Which dataslices of others that this peer fetched it offers too.")] = (
        "last 16"
    )
    foreign_hashlists: Annotated[Files, Meta(description="Which lists of dataslices of others it offers too, likewise.")] = (
        "last 16"
    )

    @property
    def persistency(self) -> Persistency:
        """The policies."""
        return Persistency(
            own_models=parse_policy(self.own_models),
            own_hashlists=parse_policy(self.own_hashlists),
            foreign_models=parse_policy(self.foreign_models),
            foreign_slices=parse_policy(self.foreign_slices),
            foreign_hashlists=parse_policy(self.foreign_hashlists),
        )


PluginTables = dict[str, dict[str, object]]


class PeerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that an operator may choose; nothing of it changes what other peers must believe.

    Attributes:
        plugins: The sections ``[plugins.NAME]``, by the provider's name, unchecked: only the plugin knows its options.
    """

    peer: PeerSection = PeerSection()
    training: TrainingSection = TrainingSection()
    averaging: AveragingSection = AveragingSection()
    network: NetworkSection = NetworkSection()
    keeping: KeepingSection = KeepingSection()
    plugins: PluginTables = {}


def state_folder(settings: PeerSettings, session: SessionId) -> Path:
    """Return the peer's state folder: the operator's, or one of the user's own for this session. Creates nothing."""
    return settings.peer.state or platformdirs.user_state_path("learnae", appauthor=False) / session[:16]
