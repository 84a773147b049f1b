"""What a development node is told when it starts."""

from dataclasses import dataclass

from learnae.errors import ConfigError
from learnae_iota.bundles.attaching import MAX_WEIGHT

LOOPBACK = "127.0.0.1"
PORT = 14265
"""Where nodes of the legacy API have always been."""

WEIGHT = 9
"""As on the test networks of old: some 20,000 candidates for each transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """What a development node is told when it starts.

    Attributes:
        weight: The weight magnitude that it demands: zero trits at the end of a transaction's hash, 1 to 20.
        milestone_interval_s: Seconds between two looks whether there is something to confirm, 0.01 to 3600.
        max_transactions: How many the ledger takes before it is full; each needs about 4 kB on disk.
        max_body_bytes: The longest request.
        max_requests_per_s: From one address, on average; twice as many at once. 0 does not count them.
        remote_work: Whether it does proof of work for other machines too, not only for this one.
        cors: Whether web pages may ask it.
    """

    weight: int = WEIGHT
    milestone_interval_s: float = 1.0
    max_transactions: int = 1_000_000
    max_body_bytes: int = 1_000_000
    max_requests_per_s: float = 1000.0
    remote_work: bool = False
    cors: bool = True

    def __post_init__(self) -> None:
        limits: tuple[tuple[str, float, float, float], ...] = (
            ("weight magnitude", self.weight, 1, MAX_WEIGHT),
            ("milestone interval in seconds", self.milestone_interval_s, 0.01, 3600),
            ("number of transactions", self.max_transactions, 1, 2**40),
            ("length of a request in bytes", self.max_body_bytes, 10_000, 2**30),
            ("number of requests a second", self.max_requests_per_s, 0, 1e9),
        )
        for what, value, least, most in limits:
            if not least <= value <= most:
                message = f"a {what} of {value}: {least:,} to {most:,.0f} is accepted"
                raise ConfigError(message)
