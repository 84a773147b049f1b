"""The legacy API: one request in, one answer out, both JSON."""

import asyncio
import logging
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec

from learnae_iota.clock import milliseconds
from learnae_iota.serving.checks import check_transaction
from learnae_iota.serving.declining import FORBIDDEN, UNAVAILABLE, DeclinedError
from learnae_iota.serving.labour import Labour
from learnae_iota.serving.ledger import Ledger
from learnae_iota.serving.questions import Answer, Questions
from learnae_iota.serving.requests import (
    Addresses,
    AttachToTangle,
    BroadcastTransactions,
    CheckConsistency,
    Command,
    FindTransactions,
    GetInclusionStates,
    GetTipInfo,
    GetTransactionsToApprove,
    GetTrytes,
    Nothing,
)
from learnae_iota.serving.settings import NodeSettings
from learnae_iota.trinary.kernel import Kernel

THREADS = 4
"""Hashing lets go of Python's lock, so that a few of them help; the ledger serves one at a time."""

_OK = 200
_INTERNAL_ERROR = 500
_NEAR_ONLY = frozenset({"attachtotangle", "interruptattachingtotangle", "addneighbors", "removeneighbors", "getneighbors"})

Request = TypeVar("Request", bound=msgspec.Struct)

_log = logging.getLogger(__name__)


class Api:
    """Carries requests out. One event loop.

    Args:
        ledger: The node's.
        settings: The node's.
        kernel: Computes.
        clock: Milliseconds since 1970.
        draw: Draws tips.
    """

    def __init__(
        self,
        ledger: Ledger,
        settings: NodeSettings,
        kernel: Kernel,
        *,
        clock: Callable[[], int] = milliseconds,
        draw: random.Random | None = None,
    ) -> None:
        self._ledger = ledger
        self._settings = settings
        self._kernel = kernel
        self._clock = clock
        self._threads = ThreadPoolExecutor(THREADS, "learnae-node")
        self._labour = Labour(settings.weight, kernel, clock)
        ask = Questions(ledger, settings, clock, draw or random.SystemRandom())
        self._ask = ask
        # Each command's name in lower case, for HORNET minds no case; what its request is; what answers it, in a thread.
        self._commands: dict[str, tuple[type[msgspec.Struct], Callable[[Any], Answer]]] = {
            "getnodeapiconfiguration": (Nothing, ask.api_configuration),
            "findtransactions": (FindTransactions, ask.find),
            "gettrytes": (GetTrytes, ask.trytes),
            "getinclusionstates": (GetInclusionStates, ask.inclusion_states),
            "checkconsistency": (CheckConsistency, ask.consistency),
            "gettipinfo": (GetTipInfo, ask.tip_info),
            "gettips": (Nothing, ask.tips),
            "gettransactionstoapprove": (GetTransactionsToApprove, ask.to_approve),
            "getmissingtransactions": (Nothing, ask.missing),
            "getbalances": (Addresses, ask.balances),
            "wereaddressesspentfrom": (Addresses, ask.spent),
            "broadcasttransactions": (BroadcastTransactions, self._broadcast),
            "storetransactions": (BroadcastTransactions, self._broadcast),
            "getneighbors": (Nothing, lambda _: {"neighbors": []}),
            "addneighbors": (Nothing, lambda _: {"addedNeighbors": 0}),
            "removeneighbors": (Nothing, lambda _: {"removedNeighbors": 0}),
        }

    async def answer(self, body: bytes, *, near: bool) -> tuple[int, bytes]:
        """Carry a request out.

        Cancellation ends proof of work; anything else goes on to its end, unheard.

        Args:
            body: The request.
            near: Whether it comes from this machine.

        Returns:
            The HTTP status, and the answer.
        """
        begun = time.monotonic()
        try:
            answer = await self._carry_out(body, near=near)
        except DeclinedError as exc:
            return exc.status, msgspec.json.encode({"error": str(exc)})
        except sqlite3.Error as exc:
            _log.warning("the ledger cannot be used: %s", exc)
            return UNAVAILABLE, msgspec.json.encode({"error": f"the ledger cannot be used: {exc}"})
        except Exception:
            _log.exception("a request could not be carried out")
            return _INTERNAL_ERROR, msgspec.json.encode({"error": "internal error"})
        return _OK, msgspec.json.encode({**answer, "duration": int(1000 * (time.monotonic() - begun))})

    def end_work(self) -> None:
        """Break off the proof of work that is under way, and begin no other."""
        self._labour.end()

    async def aclose(self) -> None:
        """End what is under way; what is being written is written."""
        await self._labour.aclose()
        await asyncio.to_thread(self._threads.shutdown)

    async def _carry_out(self, body: bytes, *, near: bool) -> Answer:
        given = _read(body, Command).command
        if not isinstance(given, str):
            raise DeclinedError("error parsing command")
        name = given.lower()
        special: dict[str, Callable[[], Awaitable[Answer]]] = {
            "getnodeinfo": lambda: self._in_thread(lambda _: self._ask.node_info(near=near), None),
            "attachtotangle": lambda: self._labour.attach(_read(body, AttachToTangle)),
            "interruptattachingtotangle": self._interrupt,
        }
        if name not in special and name not in self._commands:
            raise DeclinedError(f"command [{given[:100]}] is unknown")
        if name in _NEAR_ONLY and not near and not self._settings.remote_work:
            raise DeclinedError(f"command [{given}] is protected", FORBIDDEN)
        if name in special:
            return await special[name]()
        request, carry_out = self._commands[name]
        return await self._in_thread(carry_out, _read(body, request))

    async def _in_thread(self, carry_out: Callable[[Any], Answer], request: object) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._threads, carry_out, request)

    async def _interrupt(self) -> Answer:
        self._labour.interrupt()
        return {}

    def _broadcast(self, request: BroadcastTransactions) -> Answer:
        if not request.trytes:
            raise DeclinedError("No trytes provided")
        now_ms, weight = self._clock(), self._settings.weight
        entries = [check_transaction(text, weight=weight, now_ms=now_ms, kernel=self._kernel) for text in request.trytes]
        self._ledger.add(entries)
        return {}


def _read(body: bytes, request: type[Request]) -> Request:
    try:
        return msgspec.json.decode(body, type=request)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise DeclinedError(f"the request cannot be read: {exc}") from exc
