"""A trained model, ready for new rows."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from learnae.applying.container import ExportedModel, read_model
from learnae.codec.manifests import session_id
from learnae.data.rows import scaled
from learnae.data.targets import UNKNOWN, ClassIndex
from learnae.errors import ConfigError, UsageError
from learnae.interfaces.framework import ModelFramework
from learnae.interfaces.provider import Capability, Context
from learnae.plugins.facade import Plugins
from learnae.values.arrays import Rows
from learnae.values.choices import Task
from learnae.values.fitting import require_weights
from learnae.values.ids import PeerId
from learnae.values.manifest import Custom, Manifest
from learnae.values.scores import Score

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from learnae.values.arrays import Weights

_NOBODY = "0" * 64
BUILT_IN_FRAMEWORK = "numpy"
"""Runs the built-in network, and needs nothing that is not installed with LEARNAE."""


class Model:
    """A trained model with the terms of its session; rows go in as they stand in a table, unscaled.

    Attributes:
        manifest: The session's terms.
        weights: Path to array.
        maturity: Work cycles behind it.
    """

    def __init__(self, exported: ExportedModel, framework: ModelFramework) -> None:
        """Put a model together; ``load_model`` and ``open_model`` do it for you.

        Raises:
            UsageError: The weights are not those of the manifest.
        """
        require_weights(exported.weights, exported.manifest)
        self.manifest: Manifest = exported.manifest
        self.weights: Weights = exported.weights
        self.maturity: int = exported.maturity
        self._framework = framework

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that rows must have, in this order."""
        return self.manifest.features

    @property
    def classes(self) -> tuple[str, ...]:
        """What a classifier says, in the order of the columns of ``predict_proba``; empty for a regression."""
        return self.manifest.classes

    def predict(self, rows: ArrayLike) -> NDArray[Any]:
        """Predict the target.

        Args:
            rows: ``[rows, features]`` in the order of ``features``, unscaled, finite.

        Returns:
            ``[rows]``: class names as text, or float32 values for a regression.

        Raises:
            UsageError: Another shape, or values that are not finite numbers in float32.
        """
        outputs = self._outputs(rows)
        if self.manifest.task is Task.REGRESSION:
            return outputs[:, 0]
        indices = (outputs[:, 0] > 0.5).astype(np.intp) if self.manifest.task is Task.BINARY else outputs.argmax(axis=1)
        named: NDArray[Any] = np.asarray(self.classes)[indices]
        return named

    def predict_proba(self, rows: ArrayLike) -> NDArray[np.float32]:
        """Predict how likely each class is: float32 ``[rows, classes]``, in the order of ``classes``.

        Raises:
            UsageError: As ``predict``, or the model is a regression.
        """
        if self.manifest.task is Task.REGRESSION:
            raise UsageError("a regression has no classes, and so no probabilities; call predict")
        outputs = self._outputs(rows)
        return np.column_stack([1.0 - outputs[:, 0], outputs[:, 0]]) if self.manifest.task is Task.BINARY else outputs

    def score(self, rows: ArrayLike, targets: Sequence[Any] | NDArray[Any]) -> Score:
        """Score the model on rows whose target is known.

        Args:
            rows: As for ``predict``; at least one.
            targets: ``[rows]``: class names (``1``, ``1.0`` and ``"1"`` are one class), or the values of a regression.

        Raises:
            UsageError: As ``predict``, no rows, or a class that the session does not have.
        """
        features = self._features(rows)
        if len(targets) != len(features) or not len(features):
            raise UsageError(f"{len(features)} rows with {len(targets)} targets: as many are needed, and at least one")
        if self.manifest.task is Task.REGRESSION:
            truth = np.asarray(targets, np.float32)
        else:
            index_of = ClassIndex(self.classes)
            truth = np.fromiter((index_of(str(target).strip()) for target in targets), np.float32, len(targets))
            if (truth == UNKNOWN).any():
                unknown = str(targets[int(np.argmax(truth == UNKNOWN))])
                raise UsageError(f"{unknown[:60]!r} is no class of this session, which has: {', '.join(self.classes[:20])}")
        return self._framework.evaluate(self.weights, Rows(features, truth))

    def _outputs(self, rows: ArrayLike) -> NDArray[np.float32]:
        result: NDArray[np.float32] = self._framework.predict(self.weights, self._features(rows))
        return result

    def _features(self, rows: ArrayLike) -> NDArray[np.float32]:
        try:
            with np.errstate(over="ignore"):
                raw = np.asarray(rows, np.float32)
        except (TypeError, ValueError) as exc:
            raise UsageError(f"rows must be numbers [rows, {len(self.features)}]: {exc}") from exc
        if raw.ndim != 2 or raw.shape[1] != len(self.features):
            raise UsageError(f"rows have the shape {list(raw.shape)}; [rows, {len(self.features)}] is needed, see model.features")
        if not np.isfinite(raw).all():
            row, column = np.argwhere(~np.isfinite(raw))[0].tolist()
            raise UsageError(f"row {row}, {self.features[column]!r}: the value is not finite in float32; leave such rows out")
        return scaled(raw, self.manifest)


def load_model(
    path: str | Path, *, model: str | None = None, framework: str | None = None, plugins: Plugins | None = None
) -> Model:
    """Load a model that ``learnae export`` wrote.

    ::

        from learnae import load_model
        model = load_model("model.safetensors")
        model.predict(rows)

    Args:
        path: The file; nothing in it is run or imported.
        model: ``module:function`` that builds the network, for a session with a model of its own. Name only code you trust.
        framework: What computes; by default ``numpy`` for the built-in network, ``jax`` for one's own.
        plugins: Where frameworks come from; by default all that are installed.

    Raises:
        ConfigError: No such file, it is not such a model, or ``model`` is missing, does not fit, or is not wanted.
        ProviderError: The framework is not installed.
    """
    return open_model(read_model(Path(path)), model=model, framework=framework, plugins=plugins)


def open_model(
    exported: ExportedModel, *, model: str | None = None, framework: str | None = None, plugins: Plugins | None = None
) -> Model:
    """Make a model usable; arguments and errors as those of ``load_model``."""
    manifest = exported.manifest
    is_custom = isinstance(manifest.architecture, Custom)
    if isinstance(manifest.architecture, Custom) and model is None:
        raise ConfigError(
            f"the session's model is {manifest.architecture.label!r}, which is code that you must have: "
            'name it, as --code module:function or load_model(..., model="module:function")'
        )
    folder = Path(tempfile.mkdtemp(prefix="learnae-model-"))
    try:
        session = session_id(manifest)
        context = Context(
            manifest=manifest,
            session=session,
            rendezvous=_NOBODY,
            peer=PeerId(_NOBODY),
            owner=_NOBODY,
            state=folder,
            model=model,
        )
        name = framework or ("jax" if is_custom else BUILT_IN_FRAMEWORK)
        opened = Model(exported, (plugins or Plugins.discover()).open(Capability.FRAMEWORK, name, context))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    # The provider may use its folder for as long as it lives.
    weakref.finalize(opened, shutil.rmtree, folder, ignore_errors=True)
    return opened
