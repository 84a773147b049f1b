"""The errors of LEARNAE: the type of an error says who must act.

::

    LearnaeError
    ├── OperatorError            the operator: one line on stderr, exit status 2
    │   ├── ConfigError          a setting, a manifest, an option
    │   ├── DataError            a row of the operator's own data
    │   ├── StateError           the state folder: in use, damaged, of another session
    │   ├── ClonedIdentityError  another process signs with this peer's key
    │   └── ProviderError        no such plugin, two of one name, one that cannot be opened
    ├── UsageError               the caller's bug: a traceback
    │   └── IllegalTransitionError   an event that the machine's phase does not allow
    ├── WorldError               nobody's fault: try again, or elsewhere
    │   ├── UnavailableError     a service that does not answer
    │   ├── NotFoundError        content that nobody offers right now
    │   ├── DamagedError         bytes that are not what their address or digest says
    │   └── TooLargeError        more bytes than the caller allowed
    └── PeerError                another peer broke the protocol
        ├── ForgedError          a signature or seal that does not verify: nobody is charged
        └── BadContentError      it verifies and is still wrong: its signer is charged
"""


class LearnaeError(Exception):
    """The root of every error that this library raises on purpose."""


class OperatorError(LearnaeError):
    """Something that the operator of this peer has to put right."""


class ConfigError(OperatorError):
    """A setting, a manifest or an option that cannot be used; the message names file, key, value and what is accepted."""


class DataError(OperatorError):
    """A row of the operator's own data that cannot be used; the message names file, line and column."""


class StateError(OperatorError):
    """A state folder that cannot be used: held by another process, damaged, or of another session."""


class ClonedIdentityError(OperatorError):
    """Somebody else signs with this peer's key: the state folder was copied, or an old copy was restored."""


class ProviderError(OperatorError):
    """A provider that is not installed, is installed twice under one name, or cannot be opened."""


class UsageError(LearnaeError):
    """A call that breaks an interface's promise: the caller's bug."""


class IllegalTransitionError(UsageError):
    """An event that the machine's phase does not allow; nothing was changed."""


class WorldError(LearnaeError):
    """The world did not cooperate; the same call may succeed later or elsewhere."""


class UnavailableError(WorldError):
    """A service did not answer, or not in time."""


class NotFoundError(WorldError):
    """Nobody offers this content right now."""


class DamagedError(WorldError):
    """The bytes are not what their address or digest says; another copy may be good."""


class TooLargeError(WorldError):
    """The content is larger than the caller allowed; not more than the allowance was read."""


class PeerError(LearnaeError):
    """Another peer broke the protocol."""


class ForgedError(PeerError):
    """A signature or a seal that does not verify; nobody can be charged for it."""


class BadContentError(PeerError):
    """Content that verifies against a signed digest and is still wrong; its signer is charged."""
