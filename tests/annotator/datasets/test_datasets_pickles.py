"""The pickle reader: everything plain comes through, everything else is one UsageError."""

import argparse
import collections
import datetime
import os
import pickle
import pickletools
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from annotator.datasets import pickle_machine, pickles
from annotator.datasets.pickles import read_pickle
from annotator.errors import UsageError

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
DTYPES = ["f2", "f4", "f8", ">f4", "i1", "i8", ">i4", "u2", "?", "U5", "S3"]
# What numpy before 2 writes where numpy 2 writes numpy._core.
OLD = (b"numpy._core.multiarray", b"numpy.core.multiarray")


def same(left: object, right: object) -> bool:
    """Whether two plain values are equal, the types included."""
    if type(left) is not type(right):
        return False
    if isinstance(left, np.ndarray):
        is_same = left.dtype == right.dtype.newbyteorder("=") and left.shape == right.shape
        return is_same and left.tobytes() == right.astype(left.dtype).tobytes()
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


arrays = st.sampled_from(DTYPES).flatmap(
    lambda kind: hnp.arrays(
        np.dtype(kind),
        hnp.array_shapes(min_dims=0, max_dims=3, max_side=4),
        elements=hnp.from_dtype(np.dtype(kind), allow_nan=False),
    )
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | arrays,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=150)
@given(value=plain, protocol=st.sampled_from(PROTOCOLS))
def test_plain_data_of_every_protocol_comes_through(tmp_path_factory, value, protocol):
    path = tmp_path_factory.mktemp("p") / "data.pkl"
    assert same(read_pickle(written(path, pickle.dumps(value, protocol))), value)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_arrays_as_numpy_before_2_wrote_them(tmp_path, protocol):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    content = pickle.dumps(array.copy(order="F")[:, ::-1], protocol)
    if protocol < 4:  # later ones count the bytes of a name
        assert OLD[0] in content
        content = content.replace(*OLD)
    read = read_pickle(written(tmp_path / "old.pkl", content))
    np.testing.assert_array_equal(read, array[:, ::-1])


def test_an_array_is_a_view_of_what_was_read(tmp_path):
    array = np.zeros((2000, 500), np.float32)  # 4 MB
    path = written(tmp_path / "a.pkl", pickle.dumps({"a": array}, 4))
    tracemalloc.start()
    read = read_pickle(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read["a"].base is not None
    assert peak < 1.5 * array.nbytes


def test_scalars_text_and_objects(tmp_path):
    value = {
        "scalar": np.float32(1.5),
        "ids": np.array(["a", None, 3], object),
        "ragged": np.array([np.zeros(2), np.zeros(3)], object),
    }
    read = read_pickle(written(tmp_path / "a.pkl", pickle.dumps(value)))
    assert read["scalar"] == 1.5
    assert read["ids"].tolist() == ["a", None, 3]
    assert [len(row) for row in read["ragged"]] == [2, 3]


def test_text_of_python_2_holds_the_bytes_of_an_array(tmp_path):
    # 'cnumpy.core.multiarray\n_reconstruct' and a state with a SHORT_BINSTRING, as Python 2 writes.
    content = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x08"
        + np.array([1.0, -2.0], "<f4").tobytes()
        + b"tb."
    )
    assert read_pickle(written(tmp_path / "a.pkl", content)).tolist() == [1.0, -2.0]


class Calls:
    """Pickles as a call."""

    def __init__(self, *call: object) -> None:
        self.call = call

    def __reduce__(self):
        return self.call


def _dtype_with_fields() -> np.ndarray:
    return np.zeros(2, [("a", "f4")])


HOSTILE = {
    "system": lambda ran: Calls(os.system, (f"touch {ran}",)),
    "eval": lambda ran: Calls(eval, (f"open({str(ran)!r}, 'w')",)),
    "open": lambda ran: Calls(open, (str(ran), "w")),
    "state": lambda ran: Calls(list, (), {"a": 1}),
    "items": lambda ran: Calls(collections.OrderedDict, ()),
    "date": lambda ran: datetime.date(2020, 1, 1),
    "complex": lambda ran: np.zeros(2, complex),
    "fields": lambda ran: _dtype_with_fields(),
    "time": lambda ran: np.zeros(2, "M8[s]"),
    "object in array": lambda ran: np.array([Calls(os.system, (f"touch {ran}",))], object),
    "list in array": lambda ran: np.array([[1], None], object),
    "masked": lambda ran: np.ma.zeros(2),
    "set": lambda ran: {1, 2},
    "key": lambda ran: {(1, 2): 3},
    "class": lambda ran: os.system,
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_does_nothing(tmp_path, name, protocol):
    ran = tmp_path / "ran"
    content = pickle.dumps({"train": [HOSTILE[name](ran)]}, protocol)
    if name == "class":  # a name that is never called is only a name, and no data either
        value = read_pickle(written(tmp_path / "bad.pkl", content))
        assert not callable(value["train"][0])
        return
    with pytest.raises(UsageError, match=r"cannot read 'bad\.pkl': .*; expected an undamaged"):
        read_pickle(written(tmp_path / "bad.pkl", content))
    assert not ran.exists()


RECONSTRUCT = b"cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
FLOAT = b"cnumpy\ndtype\n\x8c\x02f4\x89\x88\x87R(K\x03\x8c\x01<NNN" + b"K\x00" * 3 + b"tb"


def _array(shape: bytes, kind: bytes = FLOAT, content: bytes = b"C\x04abcd") -> bytes:
    return b"\x80\x04" + RECONSTRUCT + b"(K\x01" + shape + kind + b"\x89" + content + b"tb."


LIES = {
    "shape": _array(b"\x8a\x05\xff\xff\xff\xff\x00\x85"),
    "negative": _array(b"J\xff\xff\xff\xff\x85"),
    "overflow": _array(b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00K\x00\x86"),
    "dimensions": _array(b"(" + b"K\x01" * 40 + b"t"),
    "size of text": _array(b"K\x01\x85", FLOAT.replace(b"\x8c\x02f4", b"\x8c\x0bU9999999999")),
    "sub-array": _array(b"K\x01\x85", FLOAT.replace(b"<NNN", b"<(K\x01tNN")),
    "object bytes": _array(b"K\x01\x85", FLOAT.replace(b"f4", b"O8")),
    "build of a number": b"\x80\x04K\x01}b.",
    "build of a name": b"\x80\x04cos\nsystem\n}b.",
    "build twice": _array(b"K\x01\x85")[:-1] + b"}b.",
    "unfinished kind": _array(b"K\x01\x85", b"cnumpy\ndtype\n\x8c\x02f4\x89\x88\x87R"),
    "huge bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"abc.",
    "huge bytearray": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"abc.",
    "huge frame": b"\x80\x04\x95" + struct.pack("<Q", 2**62),
    "huge line": b"I" + b"1" * 5000 + b"\n.",
    "extension": b"\x80\x02\x82\x01.",
    "persistent": b"\x80\x02Pmodule\n.",
    "instance": b"(S'touch ran'\nios\nsystem\n.",
    "no stop": b"\x80\x04]",
    "empty": b"",
    "stack": b"\x80\x04R.",
    "mark": b"\x80\x04t.",
    "memo": b"\x80\x04h\x07.",
    "text": b"PK is not a zip",
    "exponential hash": b"\x80\x04)" + b"2" * 3 + b"\x86.",
    "two values": b"\x80\x04NN.",
}


@pytest.mark.parametrize("name", LIES)
def test_a_lying_pickle_is_refused_in_little_memory(tmp_path, name):
    path = written(tmp_path / "lie.pkl", LIES[name])
    tracemalloc.start()
    with pytest.raises(UsageError, match=r"cannot read 'lie\.pkl'"):
        read_pickle(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_the_lies_are_lies_about_something_that_reads(tmp_path):
    assert read_pickle(written(tmp_path / "a.pkl", _array(b"K\x01\x85"))).shape == (1,)


def test_a_huge_place_in_the_memo_costs_nothing(tmp_path):
    content = b"\x80\x04]r\xff\xff\xff\x7f."
    assert read_pickle(written(tmp_path / "a.pkl", content)) == []


def test_bytes_cannot_be_multiplied(tmp_path):
    text = b"X" + struct.pack("<I", 100_000) + b"a" * 100_000 + b"q\x00"
    encode = b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R"
    with pytest.raises(UsageError, match="more bytes than it holds"):
        read_pickle(written(tmp_path / "a.pkl", b"\x80\x02(" + text + encode * 3 + b"t."))


def test_lists_used_twice(tmp_path):
    flat = ["a", 1]
    assert read_pickle(written(tmp_path / "a.pkl", pickle.dumps([flat, flat]))) == [flat, flat]
    doubled: list[object] = []
    for _ in range(60):  # 2 ** 60 empty lists, in 300 bytes
        doubled = [doubled, doubled]
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(UsageError, match="used already"):
        read_pickle(written(tmp_path / "a.pkl", pickle.dumps(endless)))
    with pytest.raises(UsageError, match="a list of lists more than once"):
        read_pickle(written(tmp_path / "a.pkl", pickle.dumps(doubled)))


def test_there_is_a_limit_to_operations_and_size(tmp_path, monkeypatch):
    path = written(tmp_path / "a.pkl", pickle.dumps(list(range(500))))
    monkeypatch.setattr(pickle_machine, "MAX_OPERATIONS", 100)
    with pytest.raises(UsageError, match="more than 100 operations"):
        read_pickle(path)
    monkeypatch.setattr(pickles, "MAX_BYTES", 1 << 9)
    with pytest.raises(UsageError, match="GiB"):
        read_pickle(path)


@settings(max_examples=100)
@given(data=st.data())
def test_a_truncated_pickle_is_refused(tmp_path_factory, data):
    value = {"a": np.arange(20, dtype=np.float32), "id": ["x$_$1", "y"]}
    content = pickle.dumps(value, data.draw(st.sampled_from(PROTOCOLS)))
    cut = data.draw(st.integers(0, len(content) - 1))
    path = written(tmp_path_factory.mktemp("p") / "cut.pkl", content[:cut])
    with pytest.raises(UsageError):
        read_pickle(path)


@settings(max_examples=300)
@given(
    content=st.binary(max_size=60)
    | st.lists(
        st.sampled_from([op.code.encode("latin-1") for op in pickletools.opcodes]), max_size=30
    ).map(b"".join)
)
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = written(tmp_path_factory.mktemp("p") / "any.pkl", content)
    try:
        read_pickle(path)
    except UsageError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("old", [False, True])
def test_files_of_torch(tmp_path, old):
    torch = pytest.importorskip("torch")
    path = tmp_path / "a.pt"
    value = {"a": [np.arange(3, dtype=np.float32)], "settings": argparse.Namespace(lr=1, s={1})}
    value["settings"] = argparse.Namespace(lr=1)
    torch.save(value, path, _use_new_zipfile_serialization=not old)
    read = read_pickle(path)
    assert read["a"][0].tolist() == [0, 1, 2]
    assert read["settings"] is None
    torch.save({"a": torch.zeros(2)}, path, _use_new_zipfile_serialization=not old)
    with pytest.raises(UsageError, match="BINPERSID"):
        read_pickle(path)


def test_other_zip_files_are_refused(tmp_path):
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", pickle.dumps([1]), zipfile.ZIP_DEFLATED)
    with pytest.raises(UsageError, match="PyTorch"):
        read_pickle(path)
    with pytest.raises(UsageError, match="No such file"):
        read_pickle(tmp_path / "none.pkl")
