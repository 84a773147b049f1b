"""The kernel in C, where it was built: ``curl.c``, called through ``ctypes``, which lets other threads run meanwhile."""

import ctypes
import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from learnae.errors import UsageError
from learnae_iota.trinary.kernel import STATE_TRITS, Sponge
from learnae_iota.trinary.trytes import HASH_TRITS, Trits

LIBRARY = "_curl.so"
SOURCE = "curl.c"

_NONCE_TRITS = 81
_DIGEST_BYTES = 48
_STATE_WORDS = 24


def load_compiled(folder: Path | None = None) -> "CompiledKernel | None":
    """Load the library.

    Args:
        folder: Where library and source lie; the package's own without one.

    Returns:
        ``None`` if there is no library, it cannot be loaded here, or it was built from another source.
    """
    place = Path(__file__).parent if folder is None else folder
    try:
        digest = hashlib.sha256((place / SOURCE).read_bytes()).hexdigest()
        library = ctypes.CDLL(str(place / LIBRARY))
        built_from = library.learnae_curl_source
    except (OSError, AttributeError):
        return None
    built_from.restype = ctypes.c_char_p
    return CompiledKernel(library) if built_from() == digest.encode() else None


class CompiledKernel:
    """Computes Curl and Keccak in C: see ``Kernel``.

    Args:
        library: ``curl.c``, built.
    """

    name = "compiled"

    def __init__(self, library: ctypes.CDLL) -> None:
        pointer, size, number, long = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int64
        library.learnae_curl_absorb.argtypes = [pointer, pointer, size, number]
        library.learnae_curl_squeeze.argtypes = [pointer, pointer, size, number]
        library.learnae_curl_state.argtypes = [pointer, pointer]
        library.learnae_curl_mask.argtypes = [pointer, pointer, pointer, size, number, number]
        library.learnae_curl_chains.argtypes = [pointer, pointer, pointer, size]
        library.learnae_curl_find_nonce.argtypes = [pointer, number, long, pointer]
        library.learnae_curl_find_work.argtypes = [pointer, number, long, long, pointer]
        library.learnae_curl_find_work.restype = long
        library.learnae_keccak_384.argtypes = [ctypes.c_char_p, size, pointer]
        self._library = library

    def sponge(self, rounds: int) -> Sponge:
        """Make a sponge: see ``Kernel.sponge``."""
        return _CompiledSponge(self._library, rounds)

    def chains(self, hashes: Trits, times: list[int]) -> Trits:
        """Hash again and again: see ``Kernel.chains``."""
        given, counts = _contiguous(hashes), np.array(times, dtype=np.int32)
        result = np.empty((len(times), HASH_TRITS), dtype=np.int8)
        if given.shape != result.shape:
            message = f"hashes of shape {given.shape} where {result.shape} is needed"
            raise UsageError(message)
        self._library.learnae_curl_chains(given.ctypes.data, counts.ctypes.data, result.ctypes.data, len(times))
        return result

    def find_nonce(self, state: Trits, security: int, batches: int) -> Trits | None:
        """Search a message's nonce: see ``Kernel.find_nonce``."""
        given, nonce = _whole_state(state), np.empty(_NONCE_TRITS, dtype=np.int8)
        found = self._library.learnae_curl_find_nonce(given.ctypes.data, security, batches, nonce.ctypes.data)
        return nonce if found else None

    def find_work(self, state: Trits, weight: int, first: int, batches: int) -> tuple[int, Trits] | None:
        """Search a transaction's nonce: see ``Kernel.find_work``."""
        given, nonce = _whole_state(state), np.empty(_NONCE_TRITS, dtype=np.int8)
        batch = self._library.learnae_curl_find_work(given.ctypes.data, weight, first, batches, nonce.ctypes.data)
        return None if batch < 0 else (int(batch), nonce)

    def keccak_384(self, data: bytes) -> bytes:
        """Hash bytes: see ``Kernel.keccak_384``."""
        digest = ctypes.create_string_buffer(_DIGEST_BYTES)
        self._library.learnae_keccak_384(data, len(data), digest)
        return digest.raw


class _CompiledSponge:
    """A sponge in C: see ``Sponge``."""

    def __init__(self, library: ctypes.CDLL, rounds: int) -> None:
        self._library = library
        self._rounds = rounds
        self._state = np.zeros(_STATE_WORDS, dtype=np.uint64)

    def absorb(self, trits: Trits) -> None:
        given = _contiguous(trits)
        self._library.learnae_curl_absorb(self._state.ctypes.data, given.ctypes.data, given.size, self._rounds)

    def squeeze(self, count: int) -> Trits:
        result = np.empty(count, dtype=np.int8)
        self._library.learnae_curl_squeeze(self._state.ctypes.data, result.ctypes.data, count, self._rounds)
        return result

    def state(self) -> Trits:
        result = np.empty(STATE_TRITS, dtype=np.int8)
        self._library.learnae_curl_state(self._state.ctypes.data, result.ctypes.data)
        return result

    def mask(self, plain: Trits) -> Trits:
        return self._mask(plain, take=0)

    def unmask(self, masked: Trits) -> Trits:
        return self._mask(masked, take=1)

    def _mask(self, trits: Trits, *, take: int) -> Trits:
        given = _contiguous(trits)
        result = np.empty(given.size, dtype=np.int8)
        state, rounds = self._state.ctypes.data, self._rounds
        self._library.learnae_curl_mask(state, given.ctypes.data, result.ctypes.data, given.size, take, rounds)
        return result


def _contiguous(trits: Trits) -> npt.NDArray[np.int8]:
    return np.ascontiguousarray(trits, dtype=np.int8)


def _whole_state(state: Trits) -> npt.NDArray[np.int8]:
    if state.shape != (STATE_TRITS,):
        message = f"a state of shape {state.shape}, not ({STATE_TRITS},)"
        raise UsageError(message)
    return _contiguous(state)
