"""The manifest: what everybody in a session must agree on, written once; its digest is the session's id."""

from typing import Annotated

import msgspec
from msgspec import Meta

from learnae.values.announcements import PROTOCOL
from learnae.values.choices import Judge, Task
from learnae.values.ids import WireDigest
from learnae.values.scores import Finite

Name = Annotated[str, Meta(min_length=1, max_length=128)]
Positive = Annotated[int, Meta(ge=1, le=2**40)]
Width = Annotated[int, Meta(ge=1, le=65536)]
Share = Annotated[float, Meta(gt=0.0, lt=1.0)]


class Parameter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One array of a model: exact path, shape and dtype (a NumPy name such as ``float32``)."""

    path: Name
    shape: Annotated[tuple[Annotated[int, Meta(ge=0, le=2**31)], ...], Meta(max_length=8)]
    dtype: Annotated[str, Meta(pattern=r"^(float16|float32|float64|int32|int64|uint32|uint8|bool)\Z")]


class Mlp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="mlp"):
    """The built-in multilayer perceptron: ReLU or tanh hidden layers, one linear output layer.

    Parameters are ``dense0/kernel`` ``[in, out]``, ``dense0/bias`` ``[out]``, ``dense1/kernel``, … in float32.
    """

    hidden: Annotated[tuple[Width, ...], Meta(max_length=16)]
    activation: Annotated[str, Meta(pattern=r"^(relu|tanh)\Z")] = "relu"


class Custom(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="custom"):
    """A model that each operator names locally as ``module:function``; only its label travels, and is never imported."""

    label: Name


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most that anyone reads of anyone, in bytes of plaintext or in entries."""

    announcement_bytes: Positive = 16_384
    model_bytes: Positive = 268_435_456
    slice_bytes: Positive = 67_108_864
    hashlist_bytes: Positive = 8_388_608
    board_bytes: Positive = 33_554_432
    peers: Positive = 4_096
    subjects_per_peer: Positive = 16_384
    quarantine_after: Positive = 3


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The terms of one session.

    Attributes:
        name: The session's codename, for people and for ledgers' tags.
        features: Column names, in the order of the model's inputs.
        target: The column to predict.
        classes: For classification, the target's values as written, in the order of class indices.
        centre: Per feature, subtracted before training.
        scale: Per feature, divided by after that; never zero.
        initial: The digest (never keyed) of the weights that everyone starts from.
        seed: Seeds the initial weights of the built-in model and the assignment of rows.
        validation_share: The share of rows kept for validation, by a keyed hash of the row.
        slice_size: The most rows in a dataslice.
        passes: How often a peer goes over each dataslice.
        overuse_threshold: After how many uses in the whole network a dataslice is ignored (paper, section 4.2).
        sharing: Whether rows may leave their peers at all.
        judge: What makes a model better.
        min_gain: By how much the judged number must improve to count; above zero where the judge is the loss.
        secret_check: The digest of the session's secret, so that a wrong one is noticed; none for an open session.
    """

    protocol: Annotated[int, Meta(ge=1, le=2**15)] = PROTOCOL
    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}\Z")]
    task: Task
    features: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=65536)]
    target: Name
    classes: Annotated[tuple[Name, ...], Meta(max_length=65536)] = ()
    centre: tuple[Finite, ...]
    scale: tuple[Finite, ...]
    architecture: Mlp | Custom
    parameters: Annotated[tuple[Parameter, ...], Meta(min_length=1, max_length=65536)]
    initial: WireDigest
    seed: Annotated[int, Meta(ge=0, le=2**53 - 1)] = 0
    validation_share: Share = 0.2
    slice_size: Positive = 500
    passes: Annotated[int, Meta(ge=1, le=1_000_000)] = 3
    overuse_threshold: Annotated[int, Meta(ge=1, le=2**40)] = 20
    sharing: bool = False
    judge: Judge = Judge.ACCURACY
    min_gain: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    limits: Limits = Limits()
    secret_check: WireDigest | None = None

    @property
    def outputs(self) -> int:
        """Count the model's outputs: one logit, one logit a class, or one value."""
        return len(self.classes) if self.task is Task.MULTICLASS else 1
