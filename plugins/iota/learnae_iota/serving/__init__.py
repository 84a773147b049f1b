"""A small development node: one tangle on this machine, with the legacy HTTP API, for trying things out."""

from learnae_iota.serving.embedded import EmbeddedNode, shared_folder
from learnae_iota.serving.settings import NodeSettings

__all__ = ["EmbeddedNode", "NodeSettings", "shared_folder"]
