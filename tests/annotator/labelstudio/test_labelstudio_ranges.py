import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.labelstudio.ranges import Unsatisfiable, asked_range

SIZE = 1_000
sizes = st.integers(0, 1 << 40)
places = st.integers(0, 1 << 41)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("bytes=0-0", range(1)),
        ("bytes=0-", range(SIZE)),
        ("bytes=990-5000", range(990, SIZE)),
        ("bytes=-1", range(999, SIZE)),
        ("bytes=-5000", range(SIZE)),
        ("Bytes = 1-2 ", range(1, 3)),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=", None),
        ("bytes=0-1,2-3", None),
        ("bytes=0-0," * 500, None),
        ("bytes=" + "0-," * 30_000, None),
        ("bytes=+1-2", None),
        ("bytes=1_0-20", None),
        ("bytes=٣-٤", None),
        ("bytes=1-2\n", None),
        ("items=0-1", None),
        ("bytes=" + "9" * 30 + "-", None),
        ("", None),
        (None, None),
    ],
)
def test_headers(header, wanted):
    assert asked_range(header, SIZE) == wanted


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-2000", "bytes=-0"])
def test_ranges_outside(header):
    with pytest.raises(Unsatisfiable):
        asked_range(header, SIZE)


@given(st.text(max_size=100) | st.from_regex(r"bytes=[0-9, -]{0,60}", fullmatch=True), sizes)
def test_whatever_is_asked_lies_within_the_file(header, size):
    try:
        wanted = asked_range(header, size)
    except Unsatisfiable:
        return
    if wanted is not None:
        assert 0 <= wanted.start < wanted.stop <= size
        assert wanted.step == 1


@given(places, places, sizes)
def test_first_and_last(first, last, size):
    header = f"bytes={first}-{last}"
    if last < first:
        assert asked_range(header, size) is None
    elif first >= size:
        with pytest.raises(Unsatisfiable):
            asked_range(header, size)
    else:
        assert asked_range(header, size) == range(first, min(last + 1, size))


@given(places, sizes)
def test_the_last_bytes(count, size):
    if min(count, size) == 0:
        with pytest.raises(Unsatisfiable):
            asked_range(f"bytes=-{count}", size)
    else:
        assert len(asked_range(f"bytes=-{count}", size)) == min(count, size)
