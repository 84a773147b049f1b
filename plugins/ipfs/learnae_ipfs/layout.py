"""What lies where in the plugin's part of a peer's state folder."""

REPOSITORY = "repo"
"""The private daemon's repository, a folder."""

LOG = "daemon.log"
"""What the private daemon says, of its latest starts."""

TOKEN = "token"  # noqa: S105 - the name of a file
"""What its RPC interface asks of whoever uses it."""

PORT = "port"
"""The port on which friends reach it."""

ADDRESSES = "addresses.json"
"""Where the session's daemons were."""

LETTERS = "letters"
"""The own latest messages."""
