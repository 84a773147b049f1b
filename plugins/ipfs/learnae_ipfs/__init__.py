"""LEARNAE over IPFS: announcements by PubSub, files by content id, on Kubo daemons."""

from learnae_ipfs.providers import learnae_commands, learnae_storages, learnae_transports

__all__ = ["learnae_commands", "learnae_storages", "learnae_transports"]
