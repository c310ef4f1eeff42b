import threading

import pytest

from annotator.claiming import Claims, lease_of_this_process
from annotator.errors import EnvironmentFault
from annotator.store.records import Held, Lease


class Database:
    """Counts renewals, and refuses what it is told to."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses
        self.asked = threading.Event()
        self.released: list[str] = []

    def renew(self, _model_id: int, _lease: Lease) -> None:
        self.asked.set()
        if self.refuses:
            raise EnvironmentFault("locked")

    def release(self, _model_id: int, owner: str) -> None:
        self.released.append(owner)
        if self.refuses:
            raise EnvironmentFault("locked")

    def claim(self, *_: object) -> None:
        return None

    def held_by_others(self, *_: object) -> Held:
        return Held(3, 2)


def claims(database: Database, told: list[str]) -> Claims:
    return Claims(database, 1, 1, Lease("me", 40), told.append)  # type: ignore[arg-type]


def test_two_runs_of_a_process_are_two_owners():
    assert lease_of_this_process(1.5).milliseconds == 1500
    assert lease_of_this_process(1).owner != lease_of_this_process(1).owner


def test_renewed_while_it_goes_on_and_given_back_after():
    database = Database()
    with claims(database, []) as held:
        assert database.asked.wait(10)
        assert list(held.files()) == []
        assert held.held_by_others() == Held(3, 2)
        assert database.released == []
    assert database.released == ["me"]


def test_a_refused_renewal_is_told_and_the_next_one_tried():
    database, told = Database(refuses=True), []
    with pytest.raises(EnvironmentFault, match="locked"), claims(database, told):
        for _ in range(2):
            assert database.asked.wait(10)
            database.asked.clear()
    assert len(told) >= 2
    assert database.released == ["me"]


def test_what_ended_the_run_is_told_rather_than_a_refused_release():
    with pytest.raises(ValueError, match="the run"), claims(Database(refuses=True), []):
        raise ValueError("the run")
