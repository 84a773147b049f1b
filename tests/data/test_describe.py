from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from learnae.data.assignment import row_keys, validation_side
from learnae.data.describe import Description, Scaling, describe
from learnae.data.distinct import Distinct
from learnae.data.rows import BadRows, read_raw
from learnae.data.synthetic import synthetic_rows, write_csv
from learnae.errors import ConfigError, DataError
from learnae.values.choices import Task

Write = Callable[..., Path]


def described(path: Path, **options: Any) -> Description:
    defaults: dict[str, Any] = {"label": "label", "bad_rows": BadRows(), "validation_share": 0.2, "seed": 0}
    return describe(path, **{**defaults, **options})


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        pytest.param(["1.0", "0.0", "1.0"], Task.BINARY, ("0.0", "1.0"), id="hepmass"),
        pytest.param(["1", "0", "1.0", "0.0"], Task.BINARY, ("0", "1"), id="two-spellings"),
        pytest.param(["1.0", "0", "1"], Task.BINARY, ("0", "1"), id="two-spellings-turned"),
        pytest.param(["yes", "no"], Task.BINARY, ("no", "yes"), id="two-words"),
        pytest.param(["2.5", "7"], Task.BINARY, ("2.5", "7"), id="two-numbers"),
        pytest.param(["10", "9", "8"], Task.MULTICLASS, ("8", "9", "10"), id="numeric-order"),
        pytest.param(["b", "a", "10", "9"], Task.MULTICLASS, ("10", "9", "a", "b"), id="mixed"),
        pytest.param([str(i) for i in range(20)], Task.MULTICLASS, tuple(map(str, range(20))), id="few"),
        pytest.param([str(i) for i in range(21)], Task.REGRESSION, (), id="many"),
        pytest.param(["0.5", "1.5", "2.5"], Task.REGRESSION, (), id="fractions"),
    ],
)
def test_task_and_classes_are_inferred(table: Write, values: list[str], task: Task, classes: tuple[str, ...]) -> None:
    path = table("label,f0\n" + "".join(f"{value},1\n" for value in values))
    found = described(path)
    assert (found.task, found.classes, found.rows) == (task, classes, len(values))


def test_the_task_can_be_stated(table: Write) -> None:
    path = table("label,f0\n0,1\n1,1\n2,1\n")
    assert described(path, task=Task.REGRESSION).classes == ()
    with pytest.raises(DataError, match="has 3 values such as '0', '1', '2' where the task binary needs two classes"):
        described(path, task=Task.BINARY)
    words = table("label,f0\na,1\nb,1\n")
    with pytest.raises(DataError, match=r"rows\.csv:2: column 'label': 'a' is not a finite number"):
        described(words, task=Task.REGRESSION)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        pytest.param("label,f0\n", {}, "there are no usable rows$", id="no-rows"),
        pytest.param(
            "label,f0\nx,y\n", {"bad_rows": BadRows(skip=True)}, "no usable rows; 1 were left out, the first: .*:2", id="bad"
        ),
        pytest.param("label,f0\n1,1\n1,2\n", {}, "column 'label' has only the value '1'", id="one-value"),
        pytest.param("label,f0\nnan,1\ninf,2\n", {}, "no usable rows", id="not-finite"),
        pytest.param(f"label,f0\n{'a' * 200},1\nb,2\n", {}, "a class of 200 characters; 128 are allowed", id="long"),
        pytest.param(
            "label,f0\n" + "".join(f"id{i},1\n" for i in range(1001)),
            {},
            "more than 1,000 different texts such as 'id0'",
            id="ids",
        ),
        pytest.param(
            "label,f0\n" + "0,3e38\n1,-3e38\n0,1\n" * 9, {"scaling": Scaling.DATA}, r"'f0' has values beyond 1e\+30", id="huge"
        ),
        pytest.param(
            "label,f0\n0,1\n1,2\n",
            {"scaling": Scaling.DATA, "validation_share": 1 - 1e-9},
            "none of the 2 rows is for training",
            id="no-training-rows",
        ),
    ],
)
def test_data_that_cannot_be_described(table: Write, content: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        described(table(content), **options)


def test_one_misspelt_number_is_not_taken_for_a_class(table: Write) -> None:
    path = table("label,f0\n" + "".join(f"{i}.5,1\n" for i in range(1500)) + "oops,1\n")
    with pytest.raises(DataError, match=":1502: column 'label': 'oops' is not a finite number"):
        described(path)


def test_which_columns_are_features(table: Write) -> None:
    path = table("f1,label,f0,mass\n1,0,2,3\n1,1,2,3\n")
    assert described(path).features == ("f1", "f0", "mass")
    assert described(path, exclude=["mass"]).features == ("f1", "f0")
    assert described(path, features=["f0", "f1"]).features == ("f0", "f1")
    assert described(path, label="mass", features=["f0"], task=Task.REGRESSION).target == "mass"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"label": "labl"}, "no column 'labl'; .*did you mean 'label'", id="label"),
        pytest.param({"features": ["f0", "f9"]}, "no column 'f9'", id="feature"),
        pytest.param({"exclude": ["mas"]}, "no column 'mas'", id="exclude"),
        pytest.param({"features": ["f0", "label"]}, "'label' is the label and cannot be a feature", id="label-as-feature"),
        pytest.param({"features": ["f0", "f0"]}, "the feature 'f0' is named twice", id="twice"),
        pytest.param({"exclude": ["f0", ""]}, "no column is left as a feature; there are: label, f0, $", id="none-left"),
        pytest.param({}, "column 3 has no name", id="no-name"),
    ],
)
def test_columns_that_contradict_each_other(table: Write, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        described(table("label,f0,\n0,1,1\n1,2,2\n"), **options)


def test_scaling_is_of_training_rows_only_and_whole_numbers_of_chunks_do_not_matter(tmp_path: Path) -> None:
    columns, rows = synthetic_rows(3_000, seed=1)
    rows[:, 3] = 0.1  # constant, and no exact sum in binary
    rows[:, 4] = 1e6 + rows[:, 4]
    path = tmp_path / "rows.csv"
    write_csv(path, columns, rows)
    found = described(path, seed=4, scaling=Scaling.DATA)
    raw = np.concatenate([*read_raw(path, found, bad_rows=BadRows())])
    assert np.array_equal(raw, np.roll(rows, -1, axis=1))
    training = raw[~validation_side(row_keys(raw, 4), 0.2), :-1].astype(np.float64)
    assert found.training_rows == len(training) < found.rows == 3_000
    assert np.allclose(found.centre, training.mean(axis=0), rtol=1e-12, atol=1e-12)
    expected = training.std(axis=0)
    assert found.scale[2] == 1.0
    expected[2] = 1.0
    assert np.allclose(found.scale, expected, rtol=1e-9)


def test_without_scaling_nothing_of_the_rows_shows(table: Write) -> None:
    found = described(table("label,f0\n0,7\n1,9\n"))
    assert (found.centre, found.scale) == ((0.0,), (1.0,))


def test_skipped_rows_are_counted_once(table: Write) -> None:
    lenient = BadRows(skip=True)
    found = described(table("label,f0\n0,1\n1,2\nlabel,f0\n0,x\nnan,4\n"), bad_rows=lenient)
    assert (found.rows, found.skipped, lenient.skipped, found.classes) == (2, 3, 3, ("0", "1"))


def test_memory_for_values_is_bounded() -> None:
    distinct = Distinct()
    for start in range(0, 300_000, 10_000):
        distinct.add([f"{value}.25" for value in range(start, start + 10_000)])
    assert distinct.overflowed
    assert len(distinct) < 80_000
    assert distinct.task(Path("t.csv"), "y") is Task.REGRESSION
    with pytest.raises(DataError, match="more than 65,536 different values; that is a task for regression"):
        distinct.classes(Path("t.csv"), "y", Task.MULTICLASS)
