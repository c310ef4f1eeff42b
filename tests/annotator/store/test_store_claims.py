import threading

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from annotator.store import claims
from annotator.store.engine import open_store
from annotator.store.records import Held, Lease

SECOND = 1000
FILES = ("a.mp4", "b.mp4", "c.mp4")


@pytest.fixture
def clock(monkeypatch):
    """The database's clock, to be set."""
    now = [1_000_000]
    monkeypatch.setattr(claims, "now_ms", lambda _connection: now[0])
    return now


def lease(owner: str, milliseconds: int = 10 * SECOND) -> Lease:
    return Lease(owner, milliseconds)


def test_the_databases_clock_goes_in_milliseconds(world):
    with world.store._read() as connection:
        first = claims.now_ms(connection)
    assert 1_700_000_000_000 < first < 4_000_000_000_000
    while True:
        with world.store._read() as connection:
            if claims.now_ms(connection) > first:
                break


def test_the_largest_is_first_and_nothing_is_claimed_twice(world):
    world.sync("small.mp4", size=1)
    world.sync("large.mp4", size=9)
    ids = world.run_id, world.model_id
    assert world.store.claim(*ids, lease("x")) == world.media_id("large.mp4")
    assert world.store.claim(*ids, lease("y")) == world.media_id("small.mp4")
    assert world.store.claim(*ids, lease("y")) is None
    assert world.store.claim(*ids, lease("x")) is None
    assert world.store.held_by_others(*ids, lease("x")) == Held(1, 1)
    assert world.store.held_by_others(*ids, lease("z")) == Held(2, 2)
    assert world.store.status().held == Held(2, 2)


def test_a_lease_that_is_not_renewed_ends(world, clock):
    world.sync("a.mp4")
    ids = world.run_id, world.model_id
    media_id = world.store.claim(*ids, lease("x"))
    clock[0] += 9 * SECOND
    world.store.renew(world.model_id, lease("x"))
    clock[0] += 9 * SECOND
    assert world.store.claim(*ids, lease("y")) is None
    clock[0] += SECOND
    assert world.store.held_by_others(*ids, lease("y")) == Held(0, 0)
    assert world.store.claim(*ids, lease("y")) == media_id
    world.store.renew(world.model_id, lease("x"))  # too late: it is another's
    clock[0] += 9 * SECOND
    assert world.store.claim(*ids, lease("x")) is None


def test_what_is_done_is_given_back_and_not_claimed_again(world, make_segment):
    world.sync("a.mp4", "b.mp4")
    ids = world.run_id, world.model_id
    world.store.claim(*ids, lease("x"))
    world.store.claim(*ids, lease("x"))
    (clip,) = world.plan("a.mp4", [make_segment(0, 1000)])
    world.store.renew(world.model_id, lease("x"))
    assert world.store.status().held == Held(2, 1)
    world.answer(clip)
    world.store.renew(world.model_id, lease("x"))
    assert world.store.status().held == Held(1, 1)
    world.store.release(world.model_id, "x")
    assert world.store.status().held == Held(0, 0)
    assert world.store.claim(*ids, lease("y")) == world.media_id("b.mp4")
    assert world.store.claim(*ids, lease("y")) is None


def test_failed_files_and_those_of_other_runs_are_left(world):
    world.sync("a.mp4", "b.mp4")
    world.store.fail_media(world.media_id("a.mp4"), "probe", "broken")
    other = world.store.start_run(world.model_id, {}, "0.1.0")
    world.sync("b.mp4", run_id=other)
    mine = world.store.start_run(world.model_id, {}, "0.1.0")
    world.sync("a.mp4", run_id=mine)
    assert world.store.claim(mine, world.model_id, lease("x")) is None


def test_a_model_does_not_hold_what_another_is_to_answer(world, facts):
    second = world.store.register_model(facts(name="m2", weights_hash="b" * 64))
    world.sync("a.mp4")
    assert world.store.claim(world.run_id, world.model_id, lease("x")) is not None
    assert world.store.claim(world.run_id, second, lease("y")) is not None


def test_many_at_once_get_each_file_once(world):
    world.sync(*(f"{n}.mp4" for n in range(60)))
    taken: dict[int, list[int]] = {n: [] for n in range(8)}

    def work(number: int) -> None:
        with open_store(world.path) as store:
            ids = world.run_id, world.model_id
            while (media_id := store.claim(*ids, lease(f"w{number}"))) is not None:
                taken[number].append(media_id)

    threads = [threading.Thread(target=work, args=(number,)) for number in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    every = sorted(media_id for ids in taken.values() for media_id in ids)
    assert every == sorted(world.media_id(f"{n}.mp4") for n in range(60))


class ClaimMachine(RuleBasedStateMachine):
    """Three owners and a clock; the test adds `world` and `clock`, which are fixtures."""

    def __init__(self):
        super().__init__()
        with self.world.store._write() as connection:
            for table in ("claim", "sighting", "media"):
                connection.exec_driver_sql(f"DELETE FROM {table}")
        self.world.sync(*FILES)
        self.ids = {self.world.media_id(name): name for name in FILES}
        self.held: dict[int, tuple[str, int]] = {}
        self.done: set[int] = set()

    def live(self) -> dict[int, str]:
        return {
            media_id: owner
            for media_id, (owner, end) in self.held.items()
            if end > self.clock[0] and media_id not in self.done
        }

    @rule(owner=st.sampled_from("xyz"), seconds=st.integers(1, 5))
    def claim(self, owner, seconds):
        given = lease(owner, seconds * SECOND)
        found = self.world.store.claim(self.world.run_id, self.world.model_id, given)
        free = set(self.ids) - self.done - set(self.live())
        assert (found in free) if free else found is None
        if found is not None:
            self.held[found] = (owner, self.clock[0] + given.milliseconds)

    @rule(owner=st.sampled_from("xyz"), seconds=st.integers(1, 5))
    def renew(self, owner, seconds):
        self.world.store.renew(self.world.model_id, lease(owner, seconds * SECOND))
        for media_id, (holder, _end) in self.held.items():
            if holder == owner:
                self.held[media_id] = (owner, self.clock[0] + seconds * SECOND)

    @rule(owner=st.sampled_from("xyz"))
    def release(self, owner):
        self.world.store.release(self.world.model_id, owner)
        self.held = {key: value for key, value in self.held.items() if value[0] != owner}

    @rule(seconds=st.integers(1, 3))
    def wait(self, seconds):
        self.clock[0] += seconds * SECOND

    @rule(data=st.data())
    def finish(self, data):
        media_id = data.draw(st.sampled_from(sorted(self.ids)))
        self.world.store.fail_media(media_id, "probe", "broken")
        self.done.add(media_id)

    @invariant()
    def others_hold_what_they_should(self):
        live = self.live()
        for owner in "xyz":
            theirs = [holder for holder in live.values() if holder != owner]
            found = self.world.store.held_by_others(
                self.world.run_id, self.world.model_id, lease(owner)
            )
            assert found == Held(len(theirs), len(set(theirs)))


def test_any_order_of_claims(world, clock):
    run_state_machine_as_test(
        type("Machine", (ClaimMachine,), {"world": world, "clock": clock}),
        settings=settings(max_examples=12, stateful_step_count=20),
    )
