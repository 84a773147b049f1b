"""LEARNAE over a shared folder: a disk, NFS, Syncthing, a USB stick."""

from learnae_localfs.providers import learnae_sensor_sources, learnae_storages, learnae_transports

__all__ = ["learnae_sensor_sources", "learnae_storages", "learnae_transports"]
