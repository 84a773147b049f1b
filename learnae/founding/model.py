"""The model that a session is about: its parameters, and the digest of the weights that everyone starts from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from learnae.codec.digests import plain_digest
from learnae.codec.manifests import session_id
from learnae.codec.weights import decode_weights, encode_weights
from learnae.errors import BadContentError, ConfigError, UsageError
from learnae.interfaces.provider import Capability, Context
from learnae.values.ids import PeerId
from learnae.values.manifest import Custom, Manifest, Mlp, Parameter
from learnae.values.mlp import mlp_initial_weights, mlp_parameters

if TYPE_CHECKING:
    from learnae.plugins.facade import Plugins
    from learnae.values.arrays import Weights

NOBODY = PeerId("0" * 64)


@dataclass(frozen=True, slots=True)
class OwnModel:
    """A model of the founder's own, instead of the built-in one.

    Attributes:
        label: What the manifest calls it, for people; it is never imported.
        model: ``module:function`` that builds it, here and now.
        framework: The framework that runs it.
        plugins: What is installed, the framework among it.
    """

    label: str
    model: str
    framework: str
    plugins: Plugins


def with_model(draft: Manifest, own: OwnModel | None) -> Manifest:
    """Complete a draft's ``parameters`` and ``initial``.

    Args:
        draft: Everything else; without parameters.
        own: The founder's model; ``None`` for the built-in one, which ``draft.architecture`` describes.

    Raises:
        ConfigError: The model cannot be used in a session.
        ProviderError: The framework cannot be opened.
    """
    if own is None:
        if not isinstance(draft.architecture, Mlp):
            raise UsageError(f"the architecture {draft.architecture!r} needs a model of one's own")
        parameters = mlp_parameters(len(draft.features), draft.outputs, draft.architecture)
        weights: Weights = mlp_initial_weights(draft)
    else:
        draft = msgspec.structs.replace(draft, architecture=Custom(own.label))
        weights = _initial_weights(draft, own)
        parameters = tuple(Parameter(path, weights[path].shape, weights[path].dtype.name) for path in sorted(weights))
    try:
        encoded = encode_weights(weights)
        complete = msgspec.structs.replace(draft, parameters=parameters, initial=plain_digest(encoded))
        decode_weights(encoded, complete)  # what nobody could read must not become a session
    except (BadContentError, UsageError) as exc:
        raise ConfigError(f"the model cannot be used in a session: {exc}") from exc
    return complete


def _initial_weights(draft: Manifest, own: OwnModel) -> Weights:
    with TemporaryDirectory(prefix="learnae-") as folder:
        session = session_id(draft)
        context = Context(draft, session, session, NOBODY, NOBODY, Path(folder), model=own.model)
        return own.plugins.open(Capability.FRAMEWORK, own.framework, context).initial_weights()
