"""From a table to a session's manifest."""

from collections.abc import Callable, Sequence
from pathlib import Path

from learnae.codec.manifests import check_manifest
from learnae.codec.seal import secret_check
from learnae.data.describe import Description, Scaling, describe
from learnae.data.rows import BadRows
from learnae.errors import ConfigError
from learnae.founding.model import OwnModel, with_model
from learnae.values.choices import Judge, Task
from learnae.values.ids import Digest
from learnae.values.manifest import Manifest, Mlp

LEAST_LOSS_GAIN = 1e-4
"""By how much a loss must fall to count, unless the founder says otherwise: rounding must not keep a session alive."""


def found_session(
    data: Path,
    *,
    label: str,
    name: str = "session",
    features: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    task: Task | None = None,
    hidden: Sequence[int] = (64, 32),
    activation: str = "relu",
    own_model: OwnModel | None = None,
    slice_size: int = 500,
    passes: int = 3,
    overuse_threshold: int = 20,
    validation_share: float = 0.2,
    sharing: bool = False,
    judge: Judge = Judge.ACCURACY,
    min_gain: float | None = None,
    seed: int = 0,
    publish_scaling: bool = False,
    skip_bad_rows: bool = False,
    secret: bytes | None = None,
    on_described: Callable[[Description], None] | None = None,
) -> Manifest:
    """Describe a session from one member's table; equal arguments give the same session.

    Args:
        data: CSV, gzipped CSV or Parquet; it is read whole, twice, in bounded memory.
        label: The column to predict.
        name: The session's codename, for people.
        features: The columns to learn from, in order; ``None`` takes all but the label.
        exclude: Columns to leave out of them.
        task: What kind of target it is; ``None`` infers it from the values.
        hidden: Widths of the built-in model's hidden layers.
        activation: ``relu`` or ``tanh``.
        own_model: A model instead of the built-in one; ``hidden`` and ``activation`` are not looked at then.
        slice_size: The most rows in a dataslice.
        passes: How often a peer goes over each dataslice.
        overuse_threshold: After how many uses in the whole network a dataslice is ignored (paper, section 4.2).
        validation_share: The share of rows that are kept for validation, above 0 and below 1.
        sharing: Whether rows may leave their peers.
        judge: What makes a model better.
        min_gain: By how much; ``None`` means 0 for the accuracy and ``LEAST_LOSS_GAIN`` for the loss.
        seed: Of the built-in model's initial weights and of the assignment of rows, 0 to 2**53 - 1.
        publish_scaling: Put mean and spread of the features of the *training* rows into the manifest, which tells everybody
            something about them. Without it centre is 0 and scale is 1.
        skip_bad_rows: Leave out rows that cannot be read instead of stopping.
        secret: The session's secret; the manifest only says how to notice a wrong one.
        on_described: Is told what the table holds.

    Raises:
        ConfigError: No such file or column, or terms that contradict each other.
        DataError: A row that cannot be read, or a target that cannot be predicted.
        ProviderError: The framework of the own model cannot be opened.
    """
    if not 0.0 < validation_share < 1.0:
        raise ConfigError(f"validation share {validation_share}: a number above 0 and below 1 is accepted")
    if not 0 <= seed < 2**53:
        raise ConfigError(f"seed {seed}: a whole number from 0 to {2**53 - 1} is accepted")
    described = describe(
        data,
        label=label,
        features=features,
        exclude=exclude,
        task=task,
        bad_rows=BadRows(skip=skip_bad_rows),
        validation_share=validation_share,
        seed=seed,
        scaling=Scaling.DATA if publish_scaling else Scaling.NONE,
    )
    if on_described is not None:
        on_described(described)
    draft = Manifest(
        name=name,
        task=described.task,
        features=described.features,
        target=described.target,
        classes=described.classes,
        centre=described.centre,
        scale=described.scale,
        architecture=Mlp(tuple(hidden), activation),
        parameters=(),
        initial=Digest("0" * 64),
        seed=seed,
        validation_share=validation_share,
        slice_size=slice_size,
        passes=passes,
        overuse_threshold=overuse_threshold,
        sharing=sharing,
        judge=judge,
        min_gain=(LEAST_LOSS_GAIN if judge is Judge.LOSS else 0.0) if min_gain is None else min_gain,
        secret_check=None if secret is None else secret_check(secret),
    )
    _check_layers(hidden, activation)
    manifest = with_model(draft, own_model)
    check_manifest(manifest)
    return manifest


def _check_layers(hidden: Sequence[int], activation: str) -> None:
    """Refuse what would otherwise become gigabytes of weights before the manifest's own check sees it."""
    if len(hidden) > 16 or not all(1 <= width <= 65_536 for width in hidden):
        raise ConfigError(f"hidden {','.join(map(str, hidden))}: at most 16 layers of 1 to 65536 units are accepted")
    if activation not in {"relu", "tanh"}:
        raise ConfigError(f"activation {activation!r}: relu or tanh is accepted")
