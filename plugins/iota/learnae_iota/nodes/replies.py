"""The shapes of what nodes answer. What is of another shape is no answer; what is more than these fields is ignored."""

from typing import Annotated

import msgspec

from learnae_iota.trinary.trytes import HASH_TRYTES

FULL = 1000
"""So many hashes a node returns for one query, unless it says otherwise; more are cut off without a word."""

_MAX_HASHES = 50_000
_LATEST_MS = 3_500_000_000_000  # in 2080: a clock that is later would put times into transactions that they cannot hold
_Hash = Annotated[str, msgspec.Meta(pattern=rf"\A[9A-Z]{{{HASH_TRYTES}}}\Z")]
_Hashes = Annotated[list[_Hash], msgspec.Meta(max_length=_MAX_HASHES)]
_Index = Annotated[int, msgspec.Meta(ge=0, le=2**40)]
_Short = Annotated[str, msgspec.Meta(max_length=1000)]


class Info(msgspec.Struct):
    """Of ``getNodeInfo``."""

    app_name: _Short = msgspec.field(name="appName", default="a node")
    app_version: _Short = msgspec.field(name="appVersion", default="")
    latest: _Index = msgspec.field(name="latestMilestoneIndex", default=0)
    latest_hash: _Hash | None = msgspec.field(name="latestMilestone", default=None)
    solid: _Index = msgspec.field(name="latestSolidSubtangleMilestoneIndex", default=0)
    synced: bool | None = msgspec.field(name="isSynced", default=None)
    time_ms: Annotated[int, msgspec.Meta(ge=0, le=_LATEST_MS)] = msgspec.field(name="time", default=0)
    features: Annotated[list[_Short], msgspec.Meta(max_length=100)] = []
    coordinator: _Hash | None = msgspec.field(name="coordinatorAddress", default=None)


class Limits(msgspec.Struct):
    """Of ``getNodeAPIConfiguration``."""

    find: Annotated[int, msgspec.Meta(ge=1)] = msgspec.field(name="maxFindTransactions", default=FULL)
    trytes: Annotated[int, msgspec.Meta(ge=1)] = msgspec.field(name="maxGetTrytes", default=FULL)


class Approve(msgspec.Struct):
    """Of ``getTransactionsToApprove``."""

    trunk: _Hash = msgspec.field(name="trunkTransaction")
    branch: _Hash = msgspec.field(name="branchTransaction")


class FoundHashes(msgspec.Struct):
    """Of ``findTransactions``."""

    hashes: _Hashes


class Trytes(msgspec.Struct):
    """Of ``getTrytes`` and ``attachToTangle``."""

    trytes: list[str]


class States(msgspec.Struct):
    """Of ``getInclusionStates``."""

    states: list[bool]


class State(msgspec.Struct):
    """Of ``checkConsistency``."""

    state: bool


class Done(msgspec.Struct):
    """Of commands that only do something."""
