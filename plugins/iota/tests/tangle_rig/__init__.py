"""Nodes to test against: a real HORNET, a node that answers as it is told, and a ledger in memory."""

from tangle_rig.hornet import SEED, SNAPSHOT, Hornet, free_ports
from tangle_rig.memory import Fault, MemoryNode
from tangle_rig.scripted import Answer, ScriptedNode

__all__ = ["SEED", "SNAPSHOT", "Answer", "Fault", "Hornet", "MemoryNode", "ScriptedNode", "free_ports"]
