"""A Kubo daemon as LEARNAE uses it: its RPC interface, bounded, and with our errors."""

from learnae_ipfs.kubo.client import Kubo
from learnae_ipfs.kubo.subscription import Subscription
from learnae_ipfs.kubo.values import (
    MAX_BLOCK_BYTES,
    MAX_PUBSUB_BYTES,
    Counters,
    Endpoint,
    Holder,
    Identity,
    Neighbour,
    PubsubMessage,
)

__all__ = [
    "MAX_BLOCK_BYTES",
    "MAX_PUBSUB_BYTES",
    "Counters",
    "Endpoint",
    "Holder",
    "Identity",
    "Kubo",
    "Neighbour",
    "PubsubMessage",
    "Subscription",
]
