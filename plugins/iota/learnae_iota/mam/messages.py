"""Makes MAM messages.

In trits, a payload is::

    index of the leaf, length of the message in trits   in the clear, as pascal numbers
    next root (243), message                            masked
    nonce (81)                                          masked; with it, the hash of all before says how secure the signature is
    signature of that hash (6561 a level), number of    masked
    siblings as a pascal number, siblings (243 each)

Masking starts a new chunk of 243 trits at the next root, the message, the nonce and the signature.
"""

from dataclasses import dataclass, field

import numpy as np

from learnae.errors import UsageError
from learnae_iota.mam import pascal
from learnae_iota.mam.channel import Channel, address_of, side_key_trits
from learnae_iota.mam.merkle import Plan, Tree, grow
from learnae_iota.mam.signatures import private_key, sign
from learnae_iota.trinary.kernel import MAM_ROUNDS, Kernel, choose_kernel
from learnae_iota.trinary.trytes import HASH_TRITS, are_trytes, hash_trits, to_trits, to_trytes

MAX_MESSAGE_TRYTES = 2_000_000
"""More would need a bundle of which one query for an address no longer returns all transactions."""

NONCE_TRITS = 81

_MAX_BATCHES = 10_000  # one is enough four times in five


@dataclass(frozen=True, slots=True)
class Signed:
    """A message that is ready to be sent.

    Attributes:
        payload: Trytes, for the fragments of a bundle.
        address: 81 trytes: where the bundle belongs.
        root: 81 trytes: what its readers know.
        next_root: 81 trytes: what it tells them, the root of the next tree.
        after: The writer's next place. It and the payload have to be durable before the payload leaves.
        trees: The tree in use and the next one, to be handed to the next call: they save most of its time.
    """

    payload: str
    address: str
    root: str
    next_root: str
    after: Channel
    trees: tuple[Tree, Tree] = field(repr=False, compare=False)


def create(channel: Channel, message: str, *, trees: tuple[Tree, ...] = (), kernel: Kernel | None = None) -> Signed:
    """Make a message. The same arguments give the same bytes, with either kernel.

    Args:
        channel: The writer's place.
        message: Trytes, at least one.
        trees: That were grown before; those that are not of this place are ignored.
        kernel: Computes; the best that is there without one.

    Raises:
        UsageError: The message is empty, too long, or not trytes.
    """
    if not message or len(message) > MAX_MESSAGE_TRYTES or not are_trytes(message):
        text = f"a message is 1 … {MAX_MESSAGE_TRYTES} trytes, the digit 9 and A to Z; this has {len(message)} characters"
        raise UsageError(text)
    kernel = kernel or choose_kernel()
    tree, following = _grown(channel.plan, trees, kernel), _grown(channel.next_plan, trees, kernel)
    trits = to_trits(message)
    header = np.concatenate((pascal.encode(channel.index), pascal.encode(len(trits))))

    sponge = kernel.sponge(MAM_ROUNDS)
    sponge.absorb(side_key_trits(channel.mode, channel.side_key))
    sponge.absorb(tree.root)
    sponge.absorb(header)
    body = sponge.mask(np.concatenate((following.root, trits)))
    nonce = kernel.find_nonce(sponge.state(), channel.security, _MAX_BATCHES)
    if nonce is None:
        text = f"no nonce for this message among {_MAX_BATCHES * 64} candidates; change the message"
        raise UsageError(text)
    masked_nonce = sponge.mask(nonce)
    digest = sponge.state()[:HASH_TRITS]
    key = private_key(kernel, hash_trits(channel.seed, "a seed"), channel.start + channel.index, channel.security)
    siblings = tree.siblings(channel.index)
    tail = np.concatenate((sign(kernel, key, digest), pascal.encode(len(siblings)), siblings.reshape(-1)))
    payload = to_trytes(np.concatenate((header, body, masked_nonce, sponge.mask(tail))))

    root, next_root = to_trytes(tree.root), to_trytes(following.root)
    address = address_of(root, channel.mode, kernel)
    return Signed(payload, address, root, next_root, channel.after(), (tree, following))


def _grown(plan: Plan, trees: tuple[Tree, ...], kernel: Kernel) -> Tree:
    for tree in trees:
        if tree.plan == plan:
            return tree
    return grow(plan, kernel)
