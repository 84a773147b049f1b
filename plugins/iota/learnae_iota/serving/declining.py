"""What the node says to a request that it does not carry out."""

from learnae.errors import LearnaeError

BAD_REQUEST = 400
FORBIDDEN = 403
NOT_FOUND = 404
TIMEOUT = 408
TOO_LARGE = 413
TOO_MANY = 429
UNAVAILABLE = 503


class DeclinedError(LearnaeError):
    """A request that is not carried out: whoever sent it reads why. Nothing of it was kept.

    Attributes:
        status: The answer's HTTP status.
    """

    def __init__(self, text: str, status: int = BAD_REQUEST) -> None:
        super().__init__(text)
        self.status = status
