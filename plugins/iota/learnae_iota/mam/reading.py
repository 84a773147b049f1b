"""Reads MAM messages: parses, verifies and follows them. Whatever the trytes, only the errors named here are raised."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from learnae.errors import BadContentError, DamagedError, ForgedError, LearnaeError, TooLargeError, UsageError
from learnae_iota.mam import pascal
from learnae_iota.mam.channel import Mode, address_of, side_key_trits
from learnae_iota.mam.merkle import MAX_DEPTH, climb
from learnae_iota.mam.messages import MAX_MESSAGE_TRYTES, NONCE_TRITS
from learnae_iota.mam.signatures import MAX_SECURITY, SIGNATURE_TRITS, signer_address
from learnae_iota.trinary.kernel import MAM_ROUNDS, Kernel, choose_kernel
from learnae_iota.trinary.trytes import HASH_TRITS, Trits, are_trytes, hash_trits, to_trits, to_trytes

MAX_PAYLOAD_TRYTES = MAX_MESSAGE_TRYTES + 2187 * (MAX_SECURITY + 2)
"""The longest payload that is read, what fills its last fragment included."""

_THIRD = 81


@dataclass(frozen=True, slots=True)
class Message:
    """A message that was verified.

    Attributes:
        trytes: Its content.
        next_root: 81 trytes: the root of the messages after those of this tree.
        index: Its leaf in the tree.
        security: How much of its hash is signed: 1, 2 or 3.
        last: Whether its leaf is the tree's last, so that nothing more comes under this root.
    """

    trytes: str
    next_root: str
    index: int
    security: int
    last: bool


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader's place in a channel.

    Attributes:
        root: 81 trytes: whose messages come next.
        mode: The channel's.
        side_key: In a restricted channel, as in ``Channel``; elsewhere empty.
        min_security: What a signature has to be worth at least. The writer chooses it; 1 is weak.
        max_trytes: How long a payload may be.

    Raises:
        UsageError: One of them is not as it has to be.
    """

    root: str
    mode: Mode = Mode.PUBLIC
    side_key: str = field(default="", repr=False)
    min_security: int = 1
    max_trytes: int = MAX_PAYLOAD_TRYTES

    def __post_init__(self) -> None:
        hash_trits(self.root, "a root")
        side_key_trits(self.mode, self.side_key)
        if self.min_security not in range(1, MAX_SECURITY + 1) or not 0 < self.max_trytes <= MAX_PAYLOAD_TRYTES:
            message = f"a security of {self.min_security}, payloads of {self.max_trytes} trytes; up to 3 and {MAX_PAYLOAD_TRYTES}"
            raise UsageError(message)

    def address(self, kernel: Kernel | None = None) -> str:
        """Return the address, 81 trytes, where to look for the messages of this place."""
        return address_of(self.root, self.mode, kernel)

    def parse(self, payload: str, kernel: Kernel | None = None) -> Message:
        """Parse and verify one payload; what follows the message in it, as the last fragment's ``9``, is ignored.

        Raises:
            TooLargeError: It has more than ``max_trytes``; nothing of it was read.
            DamagedError: It is no message, or not the whole of one.
            ForgedError: No key under the root signed it, it was changed, or the side key is not the writer's. Now and then such a
                payload cannot be told from a damaged one. In neither case is anybody to be charged.
            BadContentError: It is signed and still wrong: weaker than ``min_security``, of no leaf of its tree, or half a tryte.
        """
        if len(payload) > self.max_trytes:
            message = f"a payload of {len(payload)} trytes; {self.max_trytes} are allowed"
            raise TooLargeError(message)
        if not are_trytes(payload):
            message = f"a payload of {len(payload)} characters that are not all trytes"
            raise DamagedError(message)
        return _parse(self, to_trits(payload), kernel or choose_kernel())

    def gather(self, payloads: Iterable[str], kernel: Kernel | None = None) -> list[Message]:
        """Return the messages among payloads found at the address, by index; what is none is passed over.

        Anybody may write to an address. The same message may be there several times; it is returned once. A writer that signed
        two different ones with one key broke that key; the first of them counts.
        """
        chosen = kernel or choose_kernel()
        found: dict[int, Message] = {}
        for payload in payloads:
            try:
                message = self.parse(payload, chosen)
            except LearnaeError:
                continue
            found.setdefault(message.index, message)
        return [found[index] for index in sorted(found)]

    def following(self, message: Message) -> "Reader":
        """Return the place after the tree of a message."""
        return replace(self, root=message.next_root)


def _parse(reader: Reader, trits: Trits, kernel: Kernel) -> Message:
    index, start = pascal.decode(trits, 0)
    length, header_end = pascal.decode(trits, start)
    root_end = header_end + HASH_TRITS
    message_end = root_end + length
    nonce_end = message_end + NONCE_TRITS
    if nonce_end > len(trits):
        text = f"a payload of {len(trits)} trits that says it needs {nonce_end} and a signature"
        raise DamagedError(text)
    root = hash_trits(reader.root, "a root")
    sponge = kernel.sponge(MAM_ROUNDS)
    for part in (side_key_trits(reader.mode, reader.side_key), root, trits[:header_end]):
        sponge.absorb(part)
    next_root = sponge.unmask(trits[header_end:root_end])
    content = sponge.unmask(trits[root_end:message_end])
    sponge.unmask(trits[message_end:nonce_end])
    digest = sponge.state()[:HASH_TRITS]
    security = _security(digest)
    longest = SIGNATURE_TRITS * security + 4 * pascal.MAX_GROUPS + HASH_TRITS * MAX_DEPTH
    tail = sponge.unmask(trits[nonce_end : nonce_end + longest])
    depth, siblings = _path(tail, security)
    signer = signer_address(kernel, tail[: SIGNATURE_TRITS * security], digest)
    if (climb(kernel, signer, index, siblings) != root).any():
        text = "a signature that no key under this root made"
        raise ForgedError(text)
    if index >> depth:
        text = f"leaf {index} of a tree of {1 << depth}"
        raise BadContentError(text)
    if security < reader.min_security:
        text = f"a message of security {security}; at least {reader.min_security} is asked for"
        raise BadContentError(text)
    if length == 0 or length % 3:
        text = f"a message of {length} trits, which are not whole trytes"
        raise BadContentError(text)
    return Message(to_trytes(content), to_trytes(next_root), index, security, last=index + 1 == 1 << depth)


def _security(digest: Trits) -> int:
    for level in range(1, MAX_SECURITY + 1):
        if digest[: _THIRD * level].sum(dtype=int) == 0:
            return level
    message = "a payload that was not made under this root and side key, or was changed"
    raise ForgedError(message)


def _path(tail: Trits, security: int) -> tuple[int, Trits]:
    """Return the depth of the tree, and the siblings, ``[depth, 243]``, that follow the signature."""
    depth, start = pascal.decode(tail, SIGNATURE_TRITS * security)
    end = start + HASH_TRITS * depth
    if depth > MAX_DEPTH or end > len(tail):
        message = f"a path through {depth} levels in a payload that holds {(len(tail) - start) // HASH_TRITS}"
        raise DamagedError(message)
    return depth, tail[start:end].reshape(depth, HASH_TRITS)
