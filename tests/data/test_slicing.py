import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learnae.data.assignment import is_validation
from learnae.data.rows import BadRows, Raw, read_raw
from learnae.data.slicing import cut, split_and_cut
from learnae.data.synthetic import synthetic_rows, write_csv
from learnae.errors import DataError, StateError
from learnae.values.manifest import Manifest

Build = Callable[..., Manifest]


def some_rows(count: int, distinct: int = 10_000, seed: int = 0) -> Raw:
    random = np.random.default_rng(seed)
    raw: Raw = random.integers(0, distinct, (count, 3)).astype(np.float32)
    raw[:, 1:] = 0
    return raw


def multiset(*parts: Raw) -> Counter[bytes]:
    return Counter(row.tobytes() for part in parts for row in part)


def sliced(raw: Raw, manifest: Manifest, spool: Path, known: list[Raw] | None = None) -> tuple[Raw, list[Raw]]:
    with split_and_cut(cut(raw, 37), manifest, spool=spool, known=known or []) as assigned:
        return assigned.validation, list(assigned.slices)


@settings(max_examples=25, deadline=None)
@given(count=st.integers(30, 300), distinct=st.sampled_from([40, 300, 10_000]), seed=st.integers(0, 99))
def test_no_row_is_lost_or_doubled(
    tmp_path_factory: pytest.TempPathFactory, manifest_of: Build, count: int, distinct: int, seed: int
) -> None:
    raw, manifest = some_rows(count, distinct, seed), manifest_of(seed=seed, validation_share=0.4)
    spool = tmp_path_factory.mktemp("spool")
    validation, slices = sliced(raw, manifest, spool)
    assert multiset(validation, *slices) == multiset(raw)
    assert is_validation(validation, manifest).all()
    assert not any(is_validation(piece, manifest).any() for piece in slices)
    assert all(len(piece) == 10 for piece in slices[:-1])
    assert 1 <= len(slices[-1]) <= 10
    assert not list(spool.iterdir())


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 99))
def test_the_order_of_the_file_does_not_matter(tmp_path_factory: pytest.TempPathFactory, manifest_of: Build, seed: int) -> None:
    raw, manifest = some_rows(200, 100), manifest_of()
    raw[::3, 1] = -0.0
    shuffled = np.random.default_rng(seed).permutation(raw)
    spool = tmp_path_factory.mktemp("spool")
    (validation, slices), (same, same_slices) = sliced(raw, manifest, spool), sliced(shuffled, manifest, spool)
    assert validation.tobytes() == same.tobytes()
    assert [piece.tobytes() for piece in slices] == [piece.tobytes() for piece in same_slices]


@settings(max_examples=25, deadline=None)
@given(before=st.integers(30, 200), after=st.integers(0, 100), distinct=st.sampled_from([40, 10_000]))
def test_a_file_that_grew_gives_new_slices_only(
    tmp_path_factory: pytest.TempPathFactory, manifest_of: Build, before: int, after: int, distinct: int
) -> None:
    raw, manifest = some_rows(before + after, distinct), manifest_of()
    spool = tmp_path_factory.mktemp("spool")
    _, first = sliced(raw[:before], manifest, spool)
    validation, second = sliced(np.random.default_rng(1).permutation(raw), manifest, spool, known=first)
    assert multiset(validation, *first, *second) == multiset(raw)
    assert not sliced(raw, manifest, spool, known=[*first, *second])[1]


def test_rows_are_shuffled(manifest_of: Build, tmp_path: Path) -> None:
    raw = np.zeros((2000, 3), dtype=np.float32)
    raw[:, 0] = np.arange(2000)
    _, slices = sliced(raw, manifest_of(slice_size=10_000), tmp_path)
    order = slices[0][:, 0]
    assert abs(np.corrcoef(order, np.arange(len(order)))[0, 1]) < 0.1
    _, others = sliced(raw, manifest_of(slice_size=10_000, seed=1), tmp_path)
    assert others[0][:50].tobytes() != slices[0][:50].tobytes()


def test_counts_and_the_cap_on_validation_rows(manifest_of: Build, tmp_path: Path) -> None:
    raw, manifest = some_rows(1000), manifest_of()
    aside = int(is_validation(raw, manifest).sum())
    kept = []
    for rows in (raw, raw[::-1]):
        with split_and_cut(cut(rows, 17), manifest, spool=tmp_path, max_validation_rows=20) as assigned:
            assert (assigned.rows, assigned.validation_rows, assigned.training_rows) == (1000, aside, 1000 - aside)
            assert sum(map(len, assigned.slices)) == 1000 - aside
            kept.append(assigned.validation)
    assert len(kept[0]) == 20
    assert kept[0].tobytes() == kept[1].tobytes()


@pytest.mark.parametrize(
    ("share", "rows", "message"),
    [
        pytest.param(0.2, 0, "there are no rows", id="no-rows"),
        pytest.param(1e-9, 5, "none of the 5 rows falls to validation .*; add rows, or join as a trainer", id="no-validation"),
        pytest.param(1 - 1e-9, 5, "none of the 5 rows is left to train on .*; add rows, read sensors, or", id="no-training"),
    ],
)
def test_a_split_with_an_empty_side_says_what_to_do(
    manifest_of: Build, tmp_path: Path, share: float, rows: int, message: str
) -> None:
    with (
        pytest.raises(DataError, match=message),
        split_and_cut([some_rows(rows)], manifest_of(validation_share=share), spool=tmp_path),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_where_sensors_bring_rows_to_train_on_the_file_needs_none(manifest_of: Build, tmp_path: Path) -> None:
    terms = manifest_of(validation_share=1 - 1e-9)
    with split_and_cut([some_rows(5)], terms, spool=tmp_path, needs_training=False) as assigned:
        assert (len(assigned.validation), list(assigned.slices)) == (5, [])


def test_what_a_crash_left_is_removed_and_nothing_else(manifest_of: Build, tmp_path: Path) -> None:
    (tmp_path / "shuffle-old").mkdir()
    (tmp_path / "shuffle-old" / "rows-000").write_bytes(b"x")
    (tmp_path / "mine").write_text("stays")
    with split_and_cut([some_rows(50)], manifest_of(), spool=tmp_path):
        assert not (tmp_path / "shuffle-old").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_folder_that_cannot_be_used(manifest_of: Build, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot shuffle rows here"), split_and_cut([], manifest_of(), spool=tmp_path / "file"):
        pass


def test_memory_is_bounded_by_chunks_not_by_rows(manifest_of: Build, tmp_path: Path) -> None:
    columns, rows = synthetic_rows(2_000, seed=0)
    manifest = manifest_of(columns[1:], slice_size=500)
    path = tmp_path / "rows.csv"
    write_csv(path, columns, rows)
    header, body = path.read_bytes().split(b"\n", 1)

    def peak(times: int) -> int:
        with path.open("wb") as file:
            file.write(header + b"\n")
            file.writelines(body for _ in range(times))
        tracemalloc.start()
        try:
            chunks = with_noise(read_raw(path, manifest, bad_rows=BadRows(), chunk_rows=1_000))
            with split_and_cut(chunks, manifest, spool=tmp_path / "spool", max_validation_rows=500) as assigned:
                assert sum(map(len, assigned.slices)) == assigned.training_rows > 0.75 * 2_000 * times
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def with_noise(chunks: Iterator[Raw]) -> Iterator[Raw]:
        random = np.random.default_rng(0)
        for chunk in chunks:
            yield chunk + random.random(chunk.shape, dtype=np.float32)

    small, large = peak(4), peak(16)
    assert large < 24 << 20
    assert large < small + (2 << 20)
