"""A machine for pickles that only makes plain data.

It reads the operations with the standard library's disassembler and obeys those that make numbers,
text, lists, dictionaries and numpy arrays. Nothing that a pickle names is imported or called, so a
hostile one can only be refused. What it can cost is bounded by its size: no length in it is
believed, no operation is repeated, and nothing is shared in a way that grows when it is read.
"""

import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol, cast

from annotator.datasets.pickled_arrays import Name, Pending, Refused, called, created

MAX_OPERATIONS = 20_000_000  # of a pickle; CMU-MOSEI with its texts has some 200,000


class Source:
    """A file that is never asked for more than it has, whatever a length in it claims."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size
        self.encodable = size  # bytes that text may still become: all text of a file is in it

    def read(self, size: int) -> bytes:
        """The next bytes, all of them there; an EOFError if they are not."""
        if size > self._left:
            raise EOFError("it is cut off, or claims more than it holds")
        self._left -= size
        return self._file.read(size)

    def readline(self) -> bytes:
        """The bytes up to the end of the line or of the file."""
        line = self._file.readline(self._left)
        self._left -= len(line)
        return line


def evaluate(source: Source) -> object:
    """The value of the pickle that starts here."""
    machine = _Machine(source)
    for count, (operation, argument, _) in enumerate(pickletools.genops(cast(Any, source))):
        if count == MAX_OPERATIONS:
            raise Refused(f"it has more than {MAX_OPERATIONS:,} operations")
        if operation.name in _PUSHING:
            machine.stack.append(argument)
        else:
            _obeyed(operation.name)(machine, argument)
    (value,) = machine.stack
    return value


class _Machine:
    """The state of a pickle that is being read."""

    def __init__(self, source: Source) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.source = source
        self.shared: set[int] = set()  # ids of lists and dictionaries that are used again

    def marked(self) -> list[Any]:
        """Take what was put since the last mark."""
        mark = self.marks.pop()
        items, self.stack[mark:] = self.stack[mark:], []
        return items

    def last(self, count: int) -> tuple[Any, ...]:
        """Take the last `count` values."""
        if len(self.stack) < count:
            raise Refused("an operation lacks its values")
        items = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        return items


class _Operation(Protocol):
    def __call__(self, machine: _Machine, argument: Any, /) -> object: ...


def _remember(machine: _Machine, index: int | None) -> None:
    index, value = len(machine.memo) if index is None else index, machine.stack[-1]
    machine.memo[index] = value
    if isinstance(value, Pending):
        value.memo.append(index)


def _recalled(machine: _Machine, index: int) -> object:
    """What was remembered; no list of lists, and a list that is used again cannot change any more.

    Lists within lists, each used twice, are a few bytes here and without end to whoever goes
    through them; so is a list that holds itself.
    """
    value = machine.memo[index]
    if isinstance(value, list | dict | tuple):
        inside = value.values() if isinstance(value, dict) else value
        if any(isinstance(item, list | dict | tuple) for item in inside):
            raise Refused("it uses a list of lists more than once")
        machine.shared.add(id(value))  # the memo keeps it alive
    return value


def _extend(machine: _Machine, items: list[Any]) -> None:
    target = machine.stack[-1]
    if type(target) is not list or id(target) in machine.shared:
        raise Refused("it appends to something that is not a list, or one that is used already")
    target.extend(items)


def _update(machine: _Machine, items: list[Any]) -> None:
    # The hash of a nested tuple takes exponential time, so only plain keys are keys.
    target, keys = machine.stack[-1], items[::2]
    if type(target) is not dict or id(target) in machine.shared or len(items) % 2:
        raise Refused("it sets items of something that is not a dictionary, or used already")
    if not all(type(key) in (str, int) for key in keys):
        raise Refused("a key of a dictionary is neither text nor a number")
    target.update(zip(keys, items[1::2], strict=True))


def _dictionary(machine: _Machine, _: object) -> None:
    items = machine.marked()
    machine.stack.append({})
    _update(machine, items)


def _named(machine: _Machine, argument: str) -> None:
    module, _, name = argument.partition(" ")
    machine.stack.append(Name(f"{module}.{name}"))


def _stack_named(machine: _Machine, _: object) -> None:
    module, name = machine.last(2)
    machine.stack.append(Name(f"{module}.{name}"))


def _call(machine: _Machine, _: object) -> None:
    function, arguments = machine.last(2)
    value = called(function, arguments)
    if isinstance(value, bytes):  # the same text may be encoded again and again
        machine.source.encodable -= len(value)
        if machine.source.encodable < 0:
            raise Refused("it makes more bytes than it holds")
    machine.stack.append(value)


def _build(machine: _Machine, _: object) -> None:
    target, state = machine.last(2)
    if not isinstance(target, Pending):
        raise Refused("it changes something that is finished")
    value = target.build(state)
    machine.stack.append(value)
    machine.memo.update(dict.fromkeys(target.memo, value))


def _obeyed(name: str) -> _Operation:
    if name not in _OBEYED:
        raise Refused(f"it uses the operation {name}, which plain data does not need")
    return _OBEYED[name]


def _fresh(make: Callable[[], object]) -> _Operation:
    return lambda machine, _: machine.stack.append(make())


def _tuple(count: int) -> _Operation:
    return lambda machine, _: machine.stack.append(machine.last(count))


_PUSHING = frozenset((
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
    "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
))  # fmt: skip
_OBEYED: dict[str, _Operation] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda _machine, _argument: None),
    "NONE": _fresh(lambda: None),
    "NEWTRUE": _fresh(lambda: True),
    "NEWFALSE": _fresh(lambda: False),
    "EMPTY_LIST": _fresh(list),
    "EMPTY_DICT": _fresh(dict),
    "EMPTY_TUPLE": _fresh(tuple),
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "LIST": lambda machine, _: machine.stack.append(machine.marked()),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.marked())),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "DICT": _dictionary,
    "APPEND": lambda machine, _: _extend(machine, list(machine.last(1))),
    "APPENDS": lambda machine, _: _extend(machine, machine.marked()),
    "SETITEM": lambda machine, _: _update(machine, list(machine.last(2))),
    "SETITEMS": lambda machine, _: _update(machine, machine.marked()),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _remember),
    **dict.fromkeys(
        ("GET", "BINGET", "LONG_BINGET"),
        lambda machine, index: machine.stack.append(_recalled(machine, index)),
    ),
    "GLOBAL": _named,
    "STACK_GLOBAL": _stack_named,
    "REDUCE": _call,
    "NEWOBJ": lambda machine, _: machine.stack.append(created(machine.last(2)[0])),
    "BUILD": _build,
}
