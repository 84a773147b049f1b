"""Messages of a session through IPFS daemons: at once by PubSub, and surely, more slowly, by mailboxes.

PubSub loses messages, may be switched off, and may be gone one day. So every peer's latest messages also lie in a mailbox on its
daemon, and everybody looks into the mailboxes of everybody now and then. That goes on always, whatever PubSub does.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from learnae.errors import ConfigError, UnavailableError, UsageError
from learnae_ipfs.access import Access
from learnae_ipfs.kubo import Kubo
from learnae_ipfs.names import OwnName, keys_of, take_name, topic_of
from learnae_ipfs.settings import IpfsSettings
from learnae_ipfs.transport.complaints import REFUSALS, Complaints
from learnae_ipfs.transport.directory import Directory
from learnae_ipfs.transport.inbox import Inbox
from learnae_ipfs.transport.letters import MAX_MESSAGE_BYTES
from learnae_ipfs.transport.mailbox import Mailbox
from learnae_ipfs.transport.meeting import Meeting
from learnae_ipfs.transport.pubsub import Pubsub
from learnae_ipfs.transport.visiting import EAGER_S, Visitor

LAST_WORDS_S = 1.5
"""How long an ending transport may take to bring its mailbox up to date."""

LOOK_S = 3.0
"""How often to look who is connected: whoever was met just now is told the news, and asked for it, at once."""

SOON_S = 1.0
"""After how long to look again when somebody was just met."""

_MOST_PAUSE_S = 10.0
_SLOT = re.compile(r"[0-9a-f]{64}")


class IpfsTransport:
    """A ``Transport`` over the daemon that an access leads to. Opening it does nothing; the first call begins.

    Args:
        access: The way to the daemon; closed with this.
        rendezvous: Where the session's peers meet, 64 hexadecimal digits.
        owner: Stands for the author, 64 hexadecimal digits.
        settings: What the operator chose.
        tell: Takes a sentence for the operator.
        addresses: The file in which the addresses of the session's daemons are remembered.
        letters: The file in which the own latest messages survive.
        has_secret: Whether the session has one: then a private daemon meets members only, whatever the settings say.
    """

    max_message_bytes = MAX_MESSAGE_BYTES

    def __init__(
        self,
        access: Access,
        *,
        rendezvous: str,
        owner: str,
        settings: IpfsSettings,
        tell: Callable[[str], None],
        addresses: Path,
        letters: Path,
        has_secret: bool = False,
    ) -> None:
        self._access, self._rendezvous, self._owner, self._settings = access, rendezvous, owner, settings
        clock, interval_s = time.monotonic, settings.slow_interval_s
        self._interval_s, self._clock = interval_s, clock
        self._complain = Complaints(tell)
        self._tell = tell
        self._inbox = Inbox(clock)
        self._directory = Directory(interval_s=interval_s, clock=clock, draw=random.Random())  # noqa: S311  # no secret
        self._mailbox = Mailbox(letters, rendezvous=rendezvous, clock=clock)
        shared = not access.is_own
        self._meeting = Meeting(
            self._directory,
            rendezvous=rendezvous,
            shared=shared,
            everybody=access.is_own and (has_secret or not settings.public_network),
            bootstrap=settings.bootstrap,
            addresses=addresses,
            interval_s=interval_s,
            clock=clock,
            complain=self._complain,
        )
        self._visitor = Visitor(
            self._directory, self._inbox, rendezvous=rendezvous, shared=shared, interval_s=interval_s, clock=clock
        )
        self._pubsub: Pubsub | None = None
        if settings.pubsub:  # whoever looked at a daemon that is not ours has said whether it has PubSub
            self._pubsub = Pubsub(topic_of(rendezvous), take=self._inbox.offer, tell=tell, silent=shared)
        self._tasks: set[asyncio.Task[None]] = set()
        self._offer: asyncio.Task[None] | None = None
        self._to_offer, self._to_visit = asyncio.Event(), asyncio.Event()
        self._kubo: Kubo | None = None
        self._gone = False
        self._placeless = False
        self._trouble: Exception | None = None
        self._fatal: Exception | None = None
        self._closed = False

    async def publish(self, slot: str, message: bytes) -> None:
        """Send a message by PubSub, and put it into the mailbox: see ``Transport.publish``.

        The mailbox has taken it when it is safe in a file and the daemon is there to offer it, which it does within a round.
        """
        if len(message) > MAX_MESSAGE_BYTES:
            raise UsageError(f"a message of {len(message)} bytes; ipfs takes at most {MAX_MESSAGE_BYTES}")
        if not _SLOT.fullmatch(slot):
            raise UsageError(f"the slot {slot!r} is not 64 lower-case hexadecimal digits")
        self._begin()
        message = bytes(message)
        self._inbox.sent(message)
        self._mailbox.post(slot, message)
        self._to_offer.set()
        saved, sent = await asyncio.gather(self._mailbox.save(), self._send(message), return_exceptions=True)
        for failure in (saved, sent):
            if failure is not None and not isinstance(failure, UnavailableError):
                raise failure
        if sent is not None and (saved is not None or self._gone):
            raise UnavailableError(str(sent)) from sent
        if saved is not None:
            self._complain("keeping the latest messages", OSError(str(saved)))

    async def receive(self) -> bytes:
        """Return the next message, whichever way it came: see ``Transport.receive``."""
        self._begin()
        while True:
            if self._fatal is not None:
                raise self._fatal
            if self._trouble is not None:
                trouble, self._trouble = self._trouble, None
                raise trouble
            message = self._inbox.take()
            if message is not None:
                return message
            await self._inbox.wait()

    async def aclose(self) -> None:
        """Stop listening, and bring the mailbox up to date if that is quickly done; its block and name stay on the daemon."""
        if self._closed:
            return
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError, UnavailableError, *REFUSALS):
            async with asyncio.timeout(LAST_WORDS_S):
                await self._last_words()
        if self._offer is not None:
            self._offer.cancel()
            await asyncio.gather(self._offer, return_exceptions=True)
        await self._access.aclose()

    def _begin(self) -> None:
        if self._closed:
            raise UnavailableError("the transport was closed")
        if self._tasks:
            return
        work = [self._meet(), self._visit(), self._keep_offering()]
        if self._pubsub is not None:
            work.append(self._listen(self._pubsub))
        self._tasks = {asyncio.create_task(self._guarded(job)) for job in work}

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """What ends one of the tasks ends the next ``receive``: an operator's mistake, or a bug."""
        try:
            await work
        except Exception as exc:
            self._fatal = exc
            self._inbox.wake()

    # The daemon

    async def _daemon(self) -> Kubo:
        """Return a client of the daemon, and note whether it answers."""
        try:
            kubo = await self._access.kubo()
        except UnavailableError as exc:
            self._note_gone(exc)
            raise
        if self._gone or (self._kubo is not None and self._kubo is not kubo):
            self._mailbox.point_again()
            self._meeting.begin_again()
            self._to_offer.set()
            if self._pubsub is not None:
                self._pubsub.renew()
        self._gone, self._kubo = False, kubo
        return kubo

    async def _patiently(self) -> Kubo:
        """Return a client of the daemon as soon as it answers."""
        pause_s = 0.5
        while True:
            try:
                return await self._daemon()
            except UnavailableError:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _MOST_PAUSE_S)

    async def _failed(self, kubo: Kubo, failure: UnavailableError) -> None:
        """After a failure, find out whether the daemon is there at all."""
        await self._access.failed()
        if self._kubo is not kubo or self._gone:
            return  # somebody else found out already
        try:
            await kubo.version()
        except UnavailableError:
            self._note_gone(failure)

    def _note_gone(self, failure: UnavailableError) -> None:
        if self._gone:
            return
        self._gone = True
        if self._pubsub is not None:
            self._pubsub.renew()
        self._trouble = UnavailableError(f"{failure}; it is asked again and again, and nothing that was published is lost")
        self._inbox.wake()

    # The fast way

    async def _send(self, message: bytes) -> None:
        """Publish by PubSub. ``UnavailableError`` if that cannot be; ``self._gone`` says whether the daemon is the reason."""
        kubo = await self._daemon()
        if self._pubsub is None:
            raise UnavailableError("PubSub is not used")
        try:
            await self._pubsub.publish(kubo, message)
        except UnavailableError as exc:
            await self._failed(kubo, exc)
            raise
        except ConfigError as exc:  # PubSub is not for us there, and the mailbox may be
            raise UnavailableError(str(exc)) from exc

    async def _listen(self, pubsub: Pubsub) -> None:
        while True:
            kubo = await self._patiently()
            try:
                await pubsub.listen(kubo)
            except UnavailableError as exc:
                await self._failed(kubo, exc)
                await asyncio.sleep(min(SOON_S, self._interval_s))

    # The slow way

    async def _meet(self) -> None:
        while True:
            kubo = await self._patiently()
            met = False
            try:
                new = await self._meeting.round(kubo)
                if new:
                    met = True
                    self._mailbox.point_again()
                    self._visitor.hurry(new)
                    self._to_visit.set()
                if self._meeting.author is not None:
                    self._mailbox.introduce(self._meeting.author, self._directory.whereabouts())
                self._to_offer.set()
                if self._pubsub is not None:
                    await self._pubsub.look(kubo)
            except UnavailableError as exc:
                await self._failed(kubo, exc)
            await asyncio.sleep(min(SOON_S if met else LOOK_S, self._interval_s))

    async def _visit(self) -> None:
        full_s = 0.0
        while True:
            kubo = await self._patiently()
            self._to_visit.clear()
            full = self._clock() >= full_s
            full_s = self._clock() + self._interval_s if full else full_s
            try:
                await self._visitor.round(kubo, full=full, relaxed=self._pubsub is not None and self._pubsub.works)
            except UnavailableError as exc:
                await self._failed(kubo, exc)
            await asyncio.sleep(min(SOON_S, self._interval_s) / 4)
            rest_s = max(full_s - self._clock(), 0)
            await _told(self._to_visit, within_s=min(rest_s, EAGER_S) if self._visitor.is_eager else rest_s)

    async def _keep_offering(self) -> None:
        """Have the name point at the latest mailbox: at once after a change, but not more often than once in a round."""
        while True:
            await _told(self._to_offer, within_s=EAGER_S)
            kubo = await self._patiently()
            self._to_offer.clear()
            if await self._mailbox_offered(kubo):
                await asyncio.sleep(min(EAGER_S, self._interval_s) if self._mailbox.is_eager else self._interval_s)

    async def _mailbox_offered(self, kubo: Kubo) -> bool:
        """Bring what others find up to date; say whether there was anything to do."""
        if self._meeting.author is None or (self._meeting.alone and self._access.is_own):
            return False
        try:
            name = await self._own_name(kubo)
            if name is None or not self._mailbox.is_due(name):
                return False
            self._offer = asyncio.create_task(self._mailbox.offer(kubo, name))
            await asyncio.shield(self._offer)  # cut short, it might overtake the one that follows
        except REFUSALS as exc:
            self._complain("offering the own mailbox", exc)
        except UnavailableError as exc:
            await self._failed(kubo, exc)
        else:
            self._complain("offering the own mailbox", None)
        return True

    async def _own_name(self, kubo: Kubo) -> OwnName | None:
        name = await take_name(
            kubo, is_own=self._access.is_own, rendezvous=self._rendezvous, owner=self._owner, daemon=self._directory.own
        )
        self._visitor.own_name = None if name is None else name.name
        if name is None and not self._placeless:
            self._placeless = True
            self._tell(
                "four peers of this session have a place on this daemon already, so that there is no mailbox for this one: its "
                "messages go by PubSub alone. Give it a daemon of its own: leave --ipfs-api away. Or, if one of the four is gone "
                f"for good, remove its key, one of those that `ipfs key list` shows as {keys_of(self._rendezvous)}*"
            )
        return name

    async def _last_words(self) -> None:
        await self._mailbox.save()
        await self._meeting.remember()
        if self._offer is not None:
            await asyncio.gather(asyncio.shield(self._offer), return_exceptions=True)
        if self._kubo is not None and not self._gone:
            await self._mailbox_offered(self._kubo)


async def _told(event: asyncio.Event, *, within_s: float) -> None:
    """Wait until something is said, or for so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await event.wait()
