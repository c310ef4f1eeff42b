"""A corpus that is written is the one that is read, with who made its features."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from annotator.datasets import open_dataset
from annotator.datasets.hf_write import ROWS, write_hugging_face
from annotator.errors import UsageError
from annotator.learning.dataset import TRAIN, VALID, Dataset, Example

LABELS = ("happy", "odd, label")
DIMENSIONS = {"audio": 3, "text": 2}
EXTRACTORS = {"audio": "whisper@1", "text": "minilm@2"}


def example(number: int, steps: dict[str, int], shares: list[float], raters) -> Example:
    random = np.random.default_rng(number)
    features = {
        m: random.normal(size=(count, DIMENSIONS[m])).astype(np.float16)
        for m, count in steps.items()
    }
    target = np.array(shares, np.float32)
    return Example(f"clip {number}", f"group {number % 3}", features, target, raters)


def dataset(**splits: list[Example]) -> Dataset:
    return Dataset("corpus", LABELS, DIMENSIONS, EXTRACTORS, splits)


def written(one: Dataset, folder) -> Dataset:
    write_hugging_face(one, folder)
    return open_dataset(folder, labels=LABELS)


SHARE = st.floats(0, 1, width=32) | st.just(float("nan"))
STEPS = st.dictionaries(st.sampled_from(sorted(DIMENSIONS)), st.integers(1, 4), min_size=1)
ROW = st.tuples(
    STEPS,
    st.tuples(st.floats(0, 1, width=32), SHARE).map(list),
    st.none() | st.integers(1, 10),
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, min_size=1, max_size=6))
def test_reading_gives_what_was_written(rows, tmp_path_factory):
    everything = example(99, {"audio": 1, "text": 1}, [1, 0], 3)
    examples = [example(number, *row) for number, row in enumerate(rows)]
    found = written(dataset(train=[everything, *examples]), tmp_path_factory.mktemp("corpus"))
    assert (found.labels, found.dimensions) == (LABELS, DIMENSIONS)
    assert found.extractors == EXTRACTORS
    for before, after in zip([everything, *examples], found.split(TRAIN), strict=True):
        assert (before.id, before.group, before.raters) == (after.id, after.group, after.raters)
        np.testing.assert_array_equal(before.target, after.target)
        assert before.features.keys() == after.features.keys()
        for m, values in before.features.items():
            np.testing.assert_array_equal(values, after.features[m])


def test_more_rows_than_are_written_at_a_time(tmp_path):
    rows = [example(number, {"audio": 1, "text": 1}, [1, 0], None) for number in range(ROWS + 1)]
    found = written(
        dataset(train=rows, valid=[example(9999, {"text": 1}, [0, 1], 2)]), tmp_path / "corpus"
    )
    assert [one.id for one in found.split(TRAIN)] == [one.id for one in rows]
    assert [one.id for one in found.split(VALID)] == ["clip 9999"]


def test_features_of_two_makers_in_one_corpus(tmp_path):
    folder = tmp_path / "corpus"
    row = [example(0, {"audio": 1, "text": 1}, [1, 0], None)]
    write_hugging_face(dataset(train=row), folder)
    table = parquet.read_table(folder / "train.parquet")
    plain = pa.schema([field.remove_metadata() for field in table.schema])
    parquet.write_table(table.cast(plain), folder / "valid.parquet")
    with pytest.raises(UsageError, match="audio features of several extractors"):
        open_dataset(folder, labels=LABELS)
