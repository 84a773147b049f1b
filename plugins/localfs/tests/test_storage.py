"""The storage passes its exam."""

from pathlib import Path

from learnae_localfs.layout import Place
from learnae_localfs.storage import FolderStorage

from learnae.testing.storage import Open, StorageExam


class TestFolderStorage(StorageExam):
    def connect(self, folder: Path) -> Open:
        place = Place(folder, "7" * 64)
        return lambda owner: FolderStorage(place, owner)
