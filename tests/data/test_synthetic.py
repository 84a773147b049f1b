from pathlib import Path

import numpy as np
import pytest

from learnae.data.synthetic import SYNTHETIC_COLUMNS, synthetic_rows, write_csv
from learnae.data.tables import columns_of, read_table
from learnae.errors import DataError, StateError, UsageError


def test_equal_seeds_give_equal_rows() -> None:
    columns, rows = synthetic_rows(500, seed=3)
    assert columns == SYNTHETIC_COLUMNS == ("label", *(f"f{index}" for index in range(27)))
    assert rows.shape == (500, 28)
    assert rows.dtype == np.float32
    assert np.array_equal(rows, synthetic_rows(500, seed=3)[1])
    assert not np.array_equal(rows, synthetic_rows(500, seed=4)[1])


def test_classes_balance() -> None:
    shares = [synthetic_rows(20_000, seed)[1][:, 0].mean() for seed in range(5)]
    assert abs(np.mean(shares) - 0.5) < 0.006


def accuracy_of_a_small_network(training: int, seed: int) -> float:
    """Train 16 tanh units on rows by Adam, in plain NumPy, and return the accuracy on rows of another seed."""
    rows, test = synthetic_rows(training, seed)[1].astype(np.float64), synthetic_rows(4_000, 10_000)[1].astype(np.float64)
    random = np.random.default_rng(seed)
    weights = [random.standard_normal((28, 16)) / 5, random.standard_normal((17, 1)) / 4]
    means, squares = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]

    def forward(batch: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        ones = np.ones((len(batch), 1))
        inputs = np.hstack([batch[:, 1:], ones])
        hidden = np.hstack([np.tanh(inputs @ weights[0]), ones])
        return inputs, hidden, (hidden @ weights[1])[:, 0]

    for step in range(1, 801):
        batch = rows[random.integers(0, training, 64)]
        inputs, hidden, logits = forward(batch)
        error = ((1 / (1 + np.exp(-logits)) - batch[:, 0]) / len(batch))[:, None]
        inner = (error @ weights[1][:-1].T) * (1 - hidden[:, :-1] ** 2)
        for index, gradient in enumerate((inputs.T @ inner, hidden.T @ error)):
            means[index] = 0.9 * means[index] + 0.1 * gradient
            squares[index] = 0.999 * squares[index] + 0.001 * gradient**2
            scale = np.sqrt(squares[index] / (1 - 0.999**step)) + 1e-8
            weights[index] -= 0.005 * means[index] / (1 - 0.9**step) / scale
    return float(((forward(test)[2] > 0) == (test[:, 0] > 0.5)).mean())


def test_more_rows_help() -> None:
    few = np.mean([accuracy_of_a_small_network(320, seed) for seed in range(2)])
    many = np.mean([accuracy_of_a_small_network(2_500, seed) for seed in range(2)])
    assert 0.74 < few < 0.84
    assert few + 0.02 < many < 0.9


def test_a_table_reads_back_bit_for_bit(tmp_path: Path) -> None:
    columns, rows = synthetic_rows(300, seed=0)
    rows[0, 1:4] = [1e-45, 3.4028235e38, 0.1]
    path = tmp_path / "deep" / "rows.csv"
    write_csv(path, columns, rows)
    assert columns_of(path) == columns
    (chunk,) = read_table(path, columns)
    assert chunk.numbers.tobytes() == rows.tobytes()
    assert [found.name for found in path.parent.iterdir()] == ["rows.csv"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StateError, match=r"rows\.csv: cannot be written: No space left"):
        write_csv(path, ["a"], np.ones((2, 1), np.float32))
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["rows.csv"]


def test_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="0 rows"):
        synthetic_rows(0, seed=0)
    with pytest.raises(UsageError, match="2 column names"):
        write_csv(tmp_path / "x.csv", ["a", "b"], np.ones((2, 1), np.float32))
    with pytest.raises(DataError, match="holds a comma"):
        write_csv(tmp_path / "x.csv", ["a,b"], np.ones((2, 1), np.float32))
