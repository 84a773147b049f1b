"""The transport passes its exam, with notifications and without."""

from pathlib import Path

from learnae_localfs.layout import Place
from learnae_localfs.transport import FolderTransport

from learnae.testing.transport import Open, TransportExam


class TestWatching(TransportExam):
    watch = True

    def connect(self, folder: Path) -> Open:
        place = Place(folder, "7" * 64)
        return lambda owner: FolderTransport(place, owner, poll_interval_s=0.05, watch=self.watch)


class TestPollingAlone(TestWatching):
    watch = False
