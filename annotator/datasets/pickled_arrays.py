"""The numpy arrays in a pickle, made from what the pickle says of them, without numpy's help.

numpy pickles an array as a call with a dtype and a state of shape, order and bytes. Here those
are plain values: a dtype is looked up in a list of kinds, and an array is a view of its bytes, so
its shape cannot claim more memory than the file holds.
"""

import math
import re
import reprlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Truth values, integers, floats of 2 to 8 bytes, text and bytes of a fixed length, plain objects.
_KIND = re.compile(r"b1|[iu][1248]|f[248]|[SU][1-9][0-9]{0,5}|O8?")
_ELEMENT = (str, bool, int, float, bytes, type(None))  # of an array of objects
_MODULES = ("numpy.core.", "numpy._core.")  # before numpy 2, and since


class Refused(ValueError):
    """What a pickle asks for is not plain data."""


@dataclass(frozen=True, slots=True)
class Name:
    """A global that a pickle names; nothing is imported for it."""

    path: str


@dataclass(eq=False, slots=True)
class Pending:
    """An object waiting for its state; `memo` lists where it must be replaced once it has it."""

    build: Callable[[object], object]
    memo: list[int] = field(default_factory=list)


def called(function: object, arguments: object) -> object:
    """What a call in the pickle stands for.

    Raises:
        Refused: the call is none of those that make arrays, numpy's numbers and bytes.
    """
    if not isinstance(function, Name) or not isinstance(arguments, tuple):
        raise Refused("it calls something that is not a name")
    maker = _MAKERS.get(_current(function.path))
    if maker is None:
        raise Refused(f"it names {function.path[:100]!r}, which is not plain data")
    return maker(*arguments)


def created(cls: object) -> Pending:
    """What an object of a class without arguments stands for.

    Only `argparse.Namespace` is one, and comes to nothing: the preprocessing that CARAT starts
    from keeps its command line beside the data.
    """
    if cls != Name("argparse.Namespace"):
        raise Refused(f"it makes an object of {reprlib.repr(cls)}, which is not plain data")
    return Pending(lambda _: None)


def _current(path: str) -> str:
    """The name without the part that numpy 2 has renamed."""
    for module in _MODULES:
        if path.startswith(module):
            return path[len(module) :]
    return path


def _array(cls: object, *_: object) -> Pending:
    if cls != Name("numpy.ndarray"):
        raise Refused(f"it makes an array of class {reprlib.repr(cls)}")
    return Pending(_array_of_state)


def _array_of_state(state: object) -> NDArray[Any]:
    match state:
        case (int(), tuple() as shape, np.dtype() as kind, bool() | 0 | 1 as fortran, content):
            return _filled(content, kind, shape, "F" if fortran else "C")
    raise Refused("the state of an array is not one")


def _from_buffer(content: object, kind: object, shape: object, order: object) -> NDArray[Any]:
    if not isinstance(kind, np.dtype) or not isinstance(shape, tuple) or order not in ("C", "F"):
        raise Refused("a buffer is described as something that is not an array")
    return _filled(content, kind, shape, str(order))


def _filled(
    content: object, kind: np.dtype[Any], shape: tuple[Any, ...], order: str
) -> NDArray[Any]:
    if not all(type(steps) is int and steps >= 0 for steps in shape) or len(shape) > 8:
        raise Refused("the shape of an array is not one")
    size = math.prod(shape)
    if kind.hasobject:
        flat: NDArray[Any] = _objects(content, size)
    else:
        raw = content.encode("latin-1") if isinstance(content, str) else content  # from Python 2
        if not isinstance(raw, bytes | bytearray) or len(raw) != size * kind.itemsize:
            raise Refused("an array claims another size than it has")
        flat = np.frombuffer(raw, kind)
        if not kind.isnative:
            flat = flat.astype(kind.newbyteorder("="))
    return flat.reshape(shape, order="F" if order == "F" else "C")


def _objects(content: object, size: int) -> NDArray[np.object_]:
    if not isinstance(content, list) or len(content) != size:
        raise Refused("an array of objects claims another size than it has")
    if not all(map(_is_plain, content)):
        raise Refused("an array holds objects that are not text, numbers or arrays")
    array = np.empty(size, object)
    for index, element in enumerate(content):
        array[index] = element
    return array


def _is_plain(element: object) -> bool:
    if isinstance(element, np.ndarray):
        return not element.dtype.hasobject
    return type(element) in _ELEMENT


def _dtype(code: object, *_: object) -> Pending:
    if not isinstance(code, str) or not _KIND.fullmatch(code):
        raise Refused(
            f"an array of kind {reprlib.repr(code)}, expected numbers, text or plain objects"
        )
    return Pending(partial(_dtype_of_state, code))


def _dtype_of_state(code: str, state: object) -> np.dtype[Any]:
    match state:
        case (int(), "<" | ">" | "=" | "|" as order, None, None, None, *_):
            return np.dtype("O") if code[0] == "O" else np.dtype(order + code)
    raise Refused("the kind of an array has fields or parts of its own")


def _number(kind: object, raw: object) -> object:
    if not isinstance(kind, np.dtype):
        raise Refused("a number of no kind")
    value: object = _filled(raw, kind, (), "C").item()
    return value


def _encoded(text: object, encoding: object = "utf-8") -> bytes:
    """How pickles before protocol 3 write bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise Refused("it encodes something other than bytes")
    return text.encode("latin-1")


_MAKERS: dict[str, Callable[..., object]] = {
    "multiarray._reconstruct": _array,
    "multiarray.scalar": _number,
    "numeric._frombuffer": _from_buffer,
    "numpy.dtype": _dtype,
    "_codecs.encode": _encoded,
}
