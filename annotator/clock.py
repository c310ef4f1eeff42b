"""Where the time of a run goes: seconds by stage."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class StageClock:
    """Adds up wall seconds by the name of the stage they were spent in.

    >>> clock = StageClock()
    >>> list(clock.each("decode", iter("ab")))
    ['a', 'b']
    >>> with clock.stage("faces"):
    ...     pass
    >>> sorted(clock.seconds)
    ['decode', 'faces']
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Charge the block's time to `name`."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - began

    def each(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """Pass `items` on, charging the wait for each to `name`."""
        iterator = iter(items)
        while True:
            with self.stage(name):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add another clock's seconds to this one."""
        for name, value in seconds.items():
            self.seconds[name] += value
