"""What computes Curl and Keccak: two kernels that give the same trits, and the choice between them.

The compiled one is a small C library that is built with the plugin where there is a C compiler; the pure one needs Python and
NumPy only. Whoever calls chooses one and hands it on; nothing is loaded before that.
"""

from enum import StrEnum
from typing import Protocol

from learnae.errors import UsageError
from learnae_iota.trinary.trytes import HASH_TRITS, Trits

MAM_ROUNDS = 27
"""Curl-P-27: everything inside a MAM message."""

TANGLE_ROUNDS = 81
"""Curl-P-81: addresses of private and restricted messages, transaction hashes and proof of work."""

STATE_TRITS = 729


class Sponge(Protocol):
    """One Curl state of 729 trits, all 0 at first. Not for two threads at once."""

    def absorb(self, trits: Trits) -> None:
        """Overwrite the front of the state with each chunk of 243 trits in turn, and transform after each.

        Args:
            trits: ``int8``, ``[n]``. A last chunk that is short leaves the rest of the state as it is; nothing is padded.
        """
        ...

    def squeeze(self, count: int) -> Trits:
        """Return ``int8``, ``[count]``: chunks of 243 trits off the front of the state, with a transform after each."""
        ...

    def state(self) -> Trits:
        """Return a copy of the state: ``int8``, ``[729]``."""
        ...

    def mask(self, plain: Trits) -> Trits:
        """Hide trits: add the state to each chunk of 243, trit by trit modulo 3, and absorb the plain chunk.

        Args:
            plain: ``int8``, ``[n]``.

        Returns:
            ``int8``, ``[n]``.
        """
        ...

    def unmask(self, masked: Trits) -> Trits:
        """Undo ``mask``, from the same state on."""
        ...


class Kernel(Protocol):
    """Computes Curl and Keccak. It keeps no state: any number of threads may use one."""

    @property
    def name(self) -> str:
        """``pure`` or ``compiled``."""
        ...

    def sponge(self, rounds: int) -> Sponge:
        """Make a sponge.

        Args:
            rounds: 27 or 81.
        """
        ...

    def chains(self, hashes: Trits, times: list[int]) -> Trits:
        """Replace every hash by its Curl-P-27 hash, again and again; all of them side by side.

        Args:
            hashes: ``int8``, ``[batch, 243]``; not changed.
            times: How often, for each of them; 0 leaves it as it is.

        Returns:
            ``int8``, ``[batch, 243]``.
        """
        ...

    def find_nonce(self, state: Trits, security: int, batches: int) -> Trits | None:
        """Search the nonce that marks a MAM message's hash with its security level, in the order of the deployed libraries.

        Args:
            state: Of the Curl-P-27 sponge that will absorb the nonce: ``int8``, ``[729]``.
            security: 1, 2 or 3: the first ``81 * security`` trits of the hash are to sum to 0, and no shorter third of it.
            batches: How many times 64 candidates to try; nearly always one is enough.

        Returns:
            ``int8``, ``[81]``; ``None`` if there is none among them.
        """
        ...

    def find_work(self, state: Trits, weight: int, first: int, batches: int) -> tuple[int, Trits] | None:
        """Search a transaction's nonce: proof of work.

        Candidate ``64 * batch + lane`` has the bits of the lane as its first six trits, then the batch number's digits to base 3
        (the digit 2 as -1). Both kernels return the lowest good one.

        Args:
            state: Of the Curl-P-81 sponge before the transaction's last transform, the last chunk in it: ``int8``, ``[729]``.
                What stands at 162 … 242, where the nonce goes, does not matter.
            weight: How many trits at the end of the hash have to be 0: 0 … 243.
            first: The batch to begin with, from 0 on.
            batches: How many to try; with ``first``, below ``2 ** 63``.

        Returns:
            The batch it was found in, and the nonce, ``int8``, ``[81]``; ``None`` if there is none among them.
        """
        ...

    def keccak_384(self, data: bytes) -> bytes:
        """Return the Keccak-384 hash, 48 bytes, with the padding from before SHA-3, which ``hashlib`` does not have."""
        ...


class KernelName(StrEnum):
    """Which kernel to use."""

    AUTO = "auto"
    """The compiled one where it was built, else the pure one."""
    PURE = "pure"
    COMPILED = "compiled"


def curl_hash(kernel: Kernel, *parts: Trits, rounds: int = MAM_ROUNDS) -> Trits:
    """Return the hash, ``int8``, ``[243]``, of parts that are absorbed one after the other."""
    sponge = kernel.sponge(rounds)
    for part in parts:
        sponge.absorb(part)
    return sponge.squeeze(HASH_TRITS)


def choose_kernel(name: str = KernelName.AUTO) -> Kernel:
    """Return a kernel; loads the compiled library if that is wanted.

    Raises:
        UsageError: There is no kernel of this name, or the compiled one is asked for and was not built with this version.
    """
    from learnae_iota.trinary.compiled import load_compiled  # noqa: PLC0415  # only who computes pays for loading it
    from learnae_iota.trinary.pure import PureKernel  # noqa: PLC0415

    if name not in list(KernelName):
        message = f"no kernel named {name!r}; there are: {', '.join(KernelName)}"
        raise UsageError(message)
    compiled = None if name == KernelName.PURE else load_compiled()
    if compiled is not None:
        return compiled
    if name == KernelName.COMPILED:
        message = (
            "the compiled kernel was not built with this learnae-iota; installing it anew where there is a C compiler makes it"
        )
        raise UsageError(message)
    return PureKernel()
