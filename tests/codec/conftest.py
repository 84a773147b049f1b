"""Values that the codec's tests share; all of them are made from fixed seeds."""

from collections.abc import Callable

import pytest

from learnae.codec.identity import Identity
from learnae.values.announcements import (
    PROTOCOL,
    Announcement,
    Content,
    HashlistOffer,
    ModelOffer,
    ModelRecord,
    Presence,
    Retirement,
    SignedAnnouncement,
    SliceUse,
)
from learnae.values.choices import Role, Task
from learnae.values.ids import Digest, Locator, SessionId
from learnae.values.manifest import Limits, Manifest, Mlp, Parameter
from learnae.values.scores import Score

Maker = Callable[..., SignedAnnouncement]


@pytest.fixture(scope="session")
def session() -> SessionId:
    return SessionId("5e" * 32)


@pytest.fixture(scope="session")
def alice() -> Identity:
    return Identity.from_seed(b"a" * 32)


@pytest.fixture(scope="session")
def bob() -> Identity:
    return Identity.from_seed(b"b" * 32)


@pytest.fixture(scope="session")
def contents() -> dict[str, Content]:
    digest, locators = Digest("d1" * 32), (Locator("memory:ab/c-d_e.f"),)
    return {
        "model": ModelOffer(ModelRecord(digest, Score(0.5, 1e-3, 80), 3), locators),
        "hashlist": HashlistOffer(digest, locators, 4),
        "use": SliceUse(digest, 2),
        "presence": Presence(Role.FULL, False, None, ()),
        "retired": Retirement("hashlist"),
    }


@pytest.fixture(scope="session")
def say(alice: Identity, session: SessionId, contents: dict[str, Content]) -> Maker:
    def make(
        content: Content | str = "model",
        *,
        by: Identity = alice,
        sequence: int = 7,
        protocol: int = PROTOCOL,
        session: SessionId = session,
    ) -> SignedAnnouncement:
        what = contents[content] if isinstance(content, str) else content
        return by.sign(Announcement(protocol, session, by.peer, sequence, what))

    return make


@pytest.fixture(scope="session")
def manifest() -> Manifest:
    return Manifest(
        name="test",
        task=Task.BINARY,
        features=("f0", "f1"),
        target="label",
        classes=("0", "1"),
        centre=(0.0, 0.5),
        scale=(1.0, 2.0),
        architecture=Mlp(hidden=(3,)),
        parameters=(
            Parameter("dense0/kernel", (2, 3), "float32"),
            Parameter("dense0/bias", (3,), "float32"),
            Parameter("batch/count", (), "int32"),
            Parameter("batch/half", (2, 1), "float16"),
            Parameter("batch/mask", (3,), "bool"),
            Parameter("batch/none", (0, 4), "uint8"),
            Parameter("batch/wide", (1,), "float64"),
        ),
        initial=Digest("00" * 32),
        slice_size=5,
        # Spelt out, so that the id which a test knows does not hang on what seems a good limit today.
        limits=Limits(16_384, 2**28, 2**26, 2**23, 2**25, 4_096, 16_384, 3),
    )
