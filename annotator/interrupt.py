"""Ctrl-C that finishes what is in hand: the first asks politely, the second insists."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, current_thread, main_thread
from types import FrameType


@contextmanager
def until_interrupted(ask_to_stop: Callable[[], None]) -> Iterator[Event]:
    """Within the block the first SIGINT or SIGTERM calls `ask_to_stop` and sets the event.

    A second one raises KeyboardInterrupt. Outside the main thread, where Python allows no signal
    handlers, the block runs without.
    """
    asked = Event()

    def handle(_signal: int, _frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        ask_to_stop()

    if current_thread() is not main_thread():
        yield asked
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
