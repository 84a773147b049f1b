"""One compiled program for an epoch, and one for a batch of outputs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]  # it ships no types

from learnae.builtins.jax_framework.optimisers import restore_state
from learnae.builtins.jax_framework.state import Arrays, Model, Tree
from learnae.values.arrays import Weights
from learnae.values.choices import Task


class Carry(NamedTuple):
    """What goes from step to step."""

    parameters: Tree
    others: Tree
    randoms: Tree
    optimiser: optax.OptState


Epoch = Callable[[Carry, jax.Array, jax.Array, jax.Array, Any], tuple[Carry, jax.Array]]


class Beginning:
    """Copies weights and state from the host into a carry, in one program each for a fresh and for a saved optimiser state.

    Copies are what makes the carry safe to be used up: JAX would share memory with NumPy arrays of the caller's, and some
    optimisers begin with the parameters themselves as their state.
    """

    def __init__(self, model: Model, optimiser: optax.GradientTransformation) -> None:
        def fresh(parameters: Tree, others: Tree, randoms: Tree) -> Carry:
            return Carry(*_copied((parameters, others, randoms, optimiser.init(parameters))))

        self._model = model
        self._fresh = jax.jit(fresh)
        self._saved = jax.jit(_copied)
        self._like = jax.eval_shape(optimiser.init, model.parameters)

    def __call__(self, weights: Weights, optimiser_state: Weights | None, randoms: Tree) -> Carry:
        """Return what the first step begins with."""
        parameters, others = self._model.split(weights)
        state = restore_state(self._like, optimiser_state)
        if state is None:
            return Carry(*self._fresh(parameters, others, randoms))
        return Carry(*self._saved((parameters, others, randoms, state)))


def _copied(tree: Any) -> Any:  # noqa: ANN401 - any tree
    return jax.tree.map(jnp.copy, tree)


def row_losses(task: Task, outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Return the loss of each row ``[batch]`` from raw outputs ``[batch, outputs]`` and float32 targets ``[batch]``."""
    outputs = outputs.astype(jnp.float32)
    losses: jax.Array
    match task:
        case Task.BINARY:
            losses = optax.sigmoid_binary_cross_entropy(outputs[:, 0], targets)
        case Task.MULTICLASS:
            losses = optax.softmax_cross_entropy_with_integer_labels(outputs, targets.astype(jnp.int32))
        case Task.REGRESSION:
            losses = optax.l2_loss(outputs[:, 0], targets)
    return losses


def compile_epoch(model: Model, optimiser: optax.GradientTransformationExtraArgs, task: Task) -> Epoch:
    """Make the program that goes over all rows once.

    It takes the carry, which it uses up; features ``[padded rows, features]`` and targets ``[padded rows]``; the order, int32
    ``[padded batches, batch]`` of row indices; and the true number of rows. It returns the carry and the sum of the rows' losses.

    The loop runs for as many batches as the true rows need, a number known only at run time: padded batches are neither computed
    nor stepped, and a slice of another size needs no other program. Rows that pad the last batch weigh nothing in its loss.
    """

    def step(carry: Carry, features: jax.Array, targets: jax.Array, mask: jax.Array) -> tuple[Carry, jax.Array]:
        count = mask.sum()

        def loss(parameters: Tree) -> tuple[jax.Array, tuple[Tree, Tree]]:
            outputs, others, randoms = model.train(parameters, carry.others, carry.randoms, features)
            losses = row_losses(task, outputs, targets)
            # Not a product: a padded row's infinite loss times nothing would be NaN.
            return jnp.where(mask > 0, losses, 0.0).sum() / count, (others, randoms)

        (value, (others, randoms)), gradients = jax.value_and_grad(loss, has_aux=True)(carry.parameters)
        updates, state = optimiser.update(
            gradients,
            carry.optimiser,
            carry.parameters,
            value=value,
            grad=gradients,
            value_fn=lambda parameters: loss(parameters)[0],
        )
        return Carry(optax.apply_updates(carry.parameters, updates), others, randoms, state), value * count

    @partial(jax.jit, donate_argnums=0)
    def epoch(
        carry: Carry, features: jax.Array, targets: jax.Array, order: jax.Array, rows: jax.Array
    ) -> tuple[Carry, jax.Array]:
        batch = order.shape[1]

        def body(index: jax.Array, progress: tuple[Carry, jax.Array]) -> tuple[Carry, jax.Array]:
            carry, total = progress
            chosen = order[index]
            mask = (index * batch + jnp.arange(batch) < rows).astype(jnp.float32)
            carry, loss = step(carry, features[chosen], targets[chosen], mask)
            return carry, total + loss

        result: tuple[Carry, jax.Array] = jax.lax.fori_loop(0, (rows + batch - 1) // batch, body, (carry, jnp.float32(0.0)))
        return result

    return epoch


def compile_outputs(model: Model) -> Callable[[Arrays, Arrays, jax.Array], jax.Array]:
    """Make the program from parameters, other state and features ``[rows, features]`` to raw outputs ``[rows, outputs]``."""

    @jax.jit
    def outputs(parameters: Tree, others: Tree, features: jax.Array) -> jax.Array:
        return model.evaluate(parameters, others, features).astype(jnp.float32)

    return outputs
