"""Whole tables, a part at a time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from learnae.applying import predicting
from learnae.applying.container import ExportedModel
from learnae.applying.model import open_model
from learnae.applying.predicting import Tally, predict_table
from learnae.builtins import numpy_framework
from learnae.data.rows import BadRows
from learnae.errors import ConfigError, DataError
from learnae.plugins.facade import Plugins
from learnae.testing.rows import toy_rows
from learnae.values.choices import Task

Trained = Callable[..., ExportedModel]
WriteRows = Callable[..., Path]
PLUGINS = Plugins.of(numpy_framework)


@pytest.mark.parametrize("task", list(Task))
def test_parts_add_up_to_the_whole(
    trained: Trained, write_rows: WriteRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: Task
) -> None:
    exported = trained(task)
    path = write_rows(tmp_path / "rows.csv", exported, 250)
    model = open_model(exported, plugins=PLUGINS)
    monkeypatch.setattr(predicting, "ROWS_AT_ONCE", 64)
    parts = list(predict_table(model, path, bad_rows=BadRows(), score=True))
    assert [len(part.lines) for part in parts] == [64, 64, 64, 58]
    assert np.concatenate([part.lines for part in parts]).tolist() == list(range(2, 252))
    tally = Tally(task)
    for part in parts:
        tally.add(part)
    rows = toy_rows(exported.manifest, 250, seed=5)
    raw = rows.features * np.array(exported.manifest.scale) + np.array(exported.manifest.centre)
    whole = model.score(raw, rows.targets)
    found = tally.score(path)
    assert (found.accuracy, found.loss, found.rows) == (
        pytest.approx(whole.accuracy, rel=1e-5),
        pytest.approx(whole.loss, rel=1e-4),
        250,
    )
    np.testing.assert_array_equal(np.concatenate([part.predictions for part in parts]), model.predict(raw.astype(np.float32)))


def test_the_target_may_be_absent_unless_it_is_to_be_compared(trained: Trained, write_rows: WriteRows, tmp_path: Path) -> None:
    exported = trained()
    path = write_rows(tmp_path / "rows.csv", exported, 5, target=False)
    model = open_model(exported, plugins=PLUGINS)
    (part,) = predict_table(model, path, bad_rows=BadRows(), probabilities=True)
    assert part.probabilities is not None
    assert part.probabilities.shape == (5, 2)
    with pytest.raises(ConfigError, match="no column 'label'"):
        list(predict_table(model, path, bad_rows=BadRows(), score=True))


@pytest.mark.parametrize("score", [False, True])
def test_bad_rows_are_named_or_left_out(trained: Trained, write_rows: WriteRows, tmp_path: Path, score: bool) -> None:
    exported = trained()
    path = write_rows(tmp_path / "rows.csv", exported, 6)
    lines = path.read_text().splitlines()
    lines[2] = lines[2].replace(lines[2].split(",")[1], "oops")
    lines[4] = lines[4].rpartition(",")[0] + ",maybe"
    path.write_text("\n".join(lines) + "\n")
    model = open_model(exported, plugins=PLUGINS)
    with pytest.raises(DataError, match=r"rows\.csv:3.*'f3'"):
        list(predict_table(model, path, bad_rows=BadRows(), score=score))
    bad_rows = BadRows(skip=True)
    parts = list(predict_table(model, path, bad_rows=bad_rows, score=score))
    kept = [2, 4, 6, 7] if score else [2, 4, 5, 6, 7]  # who does not compare does not mind the target
    assert np.concatenate([part.lines for part in parts]).tolist() == kept
    assert bad_rows.skipped == 6 - len(kept)


def test_nothing_to_score_is_said(trained: Trained, write_rows: WriteRows, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.csv", trained(), 0)
    with pytest.raises(DataError, match="no usable rows"):
        Tally(Task.BINARY).score(path)
