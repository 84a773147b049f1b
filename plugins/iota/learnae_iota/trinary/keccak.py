"""Keccak-384 in Python, as it was before it became SHA-3: with another padding, which ``hashlib`` does not have."""

_HASH_BYTES = 48
_RATE_BYTES = 104
_WORD = (1 << 64) - 1
_ROUNDS = 24


def keccak_384(data: bytes) -> bytes:
    """Return the Keccak-384 hash, 48 bytes, with the padding from before SHA-3."""
    padded = bytearray(data) + bytes(_RATE_BYTES - len(data) % _RATE_BYTES)
    padded[len(data)] |= 0x01
    padded[-1] |= 0x80
    state = [0] * 25
    for start in range(0, len(padded), _RATE_BYTES):
        for lane in range(_RATE_BYTES // 8):
            at = start + 8 * lane
            state[lane] ^= int.from_bytes(padded[at : at + 8], "little")
        state = _permuted(state)
    return b"".join(lane.to_bytes(8, "little") for lane in state[: _HASH_BYTES // 8])


def _constants() -> tuple[int, ...]:
    """Make the constants of the rounds: bits of a shift register, put where a lane's bit number is a power of two, less one."""
    register, constants = 1, []
    for _ in range(_ROUNDS):
        constant = 0
        for place in range(7):
            constant |= (register & 1) << (1 << place) - 1
            register = register << 1 ^ (0x171 if register >> 7 else 0)
        constants.append(constant)
    return tuple(constants)


def _moves() -> tuple[tuple[int, int], ...]:
    """Say for each lane of the state between two rounds where it comes from, and by how many bits it is rotated on the way."""
    moves = [(0, 0)] * 25
    x, y = 1, 0
    for step in range(24):
        moves[y + 5 * ((2 * x + 3 * y) % 5)] = (x + 5 * y, (step + 1) * (step + 2) // 2 % 64)
        x, y = y, (2 * x + 3 * y) % 5
    return tuple(moves)


_CONSTANTS = _constants()
_MOVES = _moves()


def _permuted(state: list[int]) -> list[int]:
    """Apply Keccak-f[1600] to a state; lane (x, y) is number x + 5 y."""
    word = _WORD
    for constant in _CONSTANTS:
        a, b, c, d, e = (state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20] for x in range(5))
        mixed = (
            e ^ (b << 1 & word | b >> 63),
            a ^ (c << 1 & word | c >> 63),
            b ^ (d << 1 & word | d >> 63),
            c ^ (e << 1 & word | e >> 63),
            d ^ (a << 1 & word | a >> 63),
        ) * 5
        moved = []
        for lane, by in _MOVES:
            bits = state[lane] ^ mixed[lane]
            moved.append(bits << by & word | bits >> 64 - by)
        state = []
        for row in range(0, 25, 5):
            a, b, c, d, e = moved[row : row + 5]
            state += (a ^ (c & ~b), b ^ (d & ~c), c ^ (e & ~d), d ^ (a & ~e), e ^ (b & ~a))
        state[0] ^= constant
    return state
