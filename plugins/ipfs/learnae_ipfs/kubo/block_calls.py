"""Kubo's RPC calls that files are made of: single blocks, who wants them, and what the MFS refers to."""

from __future__ import annotations

from learnae.errors import TooLargeError, UsageError
from learnae_ipfs.kubo import replies, wire
from learnae_ipfs.kubo.answers import RefusedError
from learnae_ipfs.kubo.asking import MAX_REPLY_BYTES, NOT_HERE, Asker, checked_cid, checked_path, checked_peer, read_reply
from learnae_ipfs.kubo.stop import Stop
from learnae_ipfs.kubo.values import MAX_BLOCK_BYTES


class BlockCalls(Asker):
    """Some of the calls of one daemon; what each promises is said by the method of ``Kubo`` with the same name."""

    def has_block(self, cid: str, stop: Stop) -> bool:
        """``block/stat``, offline."""
        try:
            self.reply(replies.Block, "block/stat", checked_cid(cid), stop=stop, options={"offline": "true"})
        except RefusedError as exc:
            if exc.says(NOT_HERE):
                return False
            raise
        return True

    def put_block(self, data: bytes, stop: Stop, *, pin: bool) -> str:
        """``block/put``: the content id."""
        if len(data) > MAX_BLOCK_BYTES:
            raise UsageError(f"a block of {len(data)} bytes; at most {MAX_BLOCK_BYTES} can be carried")
        options = {"cid-codec": "raw", "mhtype": "sha2-256", "pin": "true" if pin else "false"}
        if self.reply(replies.Block, "block/put", stop=stop, file=data, options=options).key != (cid := wire.raw_cid(data)):
            raise self.nonsense("block/put")
        return cid

    def drop_block(self, cid: str, stop: Stop) -> bool:
        """``block/rm``: whether it is gone, for nobody pins it."""
        data = self.ask("block/rm", checked_cid(cid), stop=stop, options={"force": "true"})
        reply = read_reply(replies.RemovedBlock, data)
        if reply is None:
            raise self.nonsense("block/rm")
        return not reply.error

    def block(self, cid: str, stop: Stop, *, max_bytes: int, patience_s: float) -> bytes:
        """``block/get``."""
        if cid == wire.EMPTY:
            return b""
        with (
            self.looking_for(cid, stop),
            self.rpc.ask("block/get", checked_cid(cid), stop=stop, give_up_s=patience_s) as answer,
        ):
            data, piece = bytearray(), memoryview(bytearray(min(max_bytes + 1, 65_536)))
            while count := answer.read_into(piece):
                data += piece[:count]
                if len(data) > max_bytes:
                    raise TooLargeError(f"{cid} has more than {max_bytes} bytes")
            answer.expect_success()
            return bytes(data)

    def block_size(self, cid: str, stop: Stop, *, patience_s: float) -> int:
        """``block/stat``."""
        with self.looking_for(cid, stop):
            return self.reply(replies.Block, "block/stat", checked_cid(cid), stop=stop, give_up_s=patience_s).size

    def wanted_by(self, peer: str, stop: Stop) -> frozenset[str]:
        """``bitswap/wantlist``."""
        options = {"peer": checked_peer(peer)}
        reply = self.reply(replies.Wantlist, "bitswap/wantlist", stop=stop, options=options, max_bytes=MAX_REPLY_BYTES)
        return frozenset(cid for key in reply.keys or () if wire.is_cid(cid := key.get("/", "")))

    def mfs_cid(self, path: str, stop: Stop) -> str | None:
        """``files/stat``: the content id, if it is one that is used here, or an empty text."""
        try:
            cid = self.reply(replies.FileStat, "files/stat", checked_path(path), stop=stop).hash
        except RefusedError as exc:
            if exc.says("does not exist"):
                return None
            raise
        return cid if wire.is_cid(cid) else ""
