"""Begin a session: its manifest, its secret, and the settings of its first peer."""

from learnae.founding.folder import Founded, secret_in, write_folder
from learnae.founding.model import OwnModel
from learnae.founding.session import found_session

__all__ = ["Founded", "OwnModel", "found_session", "secret_in", "write_folder"]
