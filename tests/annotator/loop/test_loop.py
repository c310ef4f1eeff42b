"""A whole loop against a server in memory: rounds, kills, waits, and what it refuses."""

import pytest

from loop_world import LoopWorld

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def world(tmp_path) -> LoopWorld:
    return LoopWorld(tmp_path)


def test_three_rounds_learn_and_double_nothing(world):
    outcome = world.to_the_end()
    assert outcome.stopped == "3 rounds are done"
    for one in outcome.rounds:
        print(
            one.predicted,
            one.sent,
            one.answered,
            one.audited,
            one.learnt,
            one.repredicted,
            sep="\n",
            end="\n\n",
        )
    assert len(world.server.samples()) == len(set(world.server.samples())) == 180
