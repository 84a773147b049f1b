"""The memory ledger passes the exams, and is what a simulation needs."""

from pathlib import Path

from learnae.builtins.memory import MemoryLedger
from learnae.testing.transport import Open, TransportExam


class TestMemoryTransport(TransportExam):
    def connect(self, folder: Path) -> Open:
        return MemoryLedger().transport
