from contextlib import contextmanager

import pytest
from sqlalchemy import text

from annotator.errors import EnvironmentFault, UsageError
from annotator.store.engine import open_store
from annotator.store.records import Lease
from annotator.store.review_records import GivenAnswer, GivenLabel
from annotator.store.schema import Base
from annotator.store.transfer import copy

TABLES = sorted(Base.metadata.tables)


@pytest.fixture
def full(sqlite_world, make_segment, make_result):
    """A world with rows in every table, and of the awkward kinds."""
    world = sqlite_world
    world.sync("caf\udce9\\x.mp4", "b.mp4", "c.mp4", size=2**40)
    with world.store._read() as connection:
        ids = [row[0] for row in connection.execute(text("SELECT id FROM media ORDER BY id"))]
    world.store.fail_media(ids[2], "probe", "no \udcff stream")
    plan = [make_segment(n * 1000, n * 1000 + 900, f"words {n} äöü", sad=0.1) for n in range(5)]
    clips = world.plan("b.mp4", plan, "digest")
    world.store.save_results(
        world.run_id, world.model_id, [make_result(clips[0], 1 / 3, latent=b"\x00\xff\x80")]
    )
    world.answer(*clips[1:3], variance=1e-300)
    world.store.claim(world.run_id, world.model_id, Lease("x", 1000))
    project = world.store.save_project("http://ls", 7, "p", ("happy", "sad"))
    world.store.begin_sending(project.project_id, world.model_id, {"s": clips[0]}, shown=True)
    world.store.sent(project.project_id, {"s": 11})
    return world


def ignore(_done, _total):
    """No progress is shown."""


def dump(store):
    with store._read() as connection:
        return {
            name: sorted(
                (tuple(row) for row in connection.execute(text(f"SELECT * FROM {name}"))), key=repr
            )
            for name in TABLES
        }


def typed(rows):
    """SQLite has 0 and 1 for what PostgreSQL calls false and true."""
    return {
        name: [
            tuple(int(v) if isinstance(v, bool) else bytes(v) if isinstance(v, memoryview) else v
                  for v in row)
            for row in found
        ]
        for name, found in rows.items()
    }  # fmt: skip


def test_there_and_back_is_the_same(full, postgres, tmp_path):
    told = []
    with open_store(postgres) as server, open_store(tmp_path / "back.db") as back:
        there = copy(full.store, server, lambda done, total: told.append((done, total)))
        assert copy(server, back, ignore) == there
        assert {one.table: one.rows for one in there} == {
            name: len(rows) for name, rows in dump(full.store).items()
        }
        assert {name for name, rows in dump(full.store).items() if rows} >= set(TABLES) - {
            "annotation",
            "annotation_label",
        }
        assert dump(back) == dump(full.store)
        normal = {name: sorted(rows, key=repr) for name, rows in typed(dump(server)).items()}
        assert {n: len(r) for n, r in normal.items()} == {
            n: len(r) for n, r in dump(full.store).items()
        }
        assert normal["clip"] == dump(full.store)["clip"]
        assert normal["prediction"] == dump(full.store)["prediction"]
    assert sum(done for done, _ in told) == told[0][1] == 2 * sum(one.rows for one in there)


def test_the_copy_goes_on_where_the_numbers_end(full, postgres):
    with open_store(postgres) as server:
        copy(full.store, server, ignore)
        last = max(row[0] for row in dump(server)["run"])
        assert server.start_run(full.model_id, {}, "0.1.0") == last + 1
        server.sync_sources(last + 1, [])


def test_answers_of_people_come_along(full, postgres):
    (task,) = full.store.tasks(1)
    project = full.store.imported_project("theirs", ("happy", "sad"))
    given = GivenAnswer(
        task.clip_id, "ann", "labelled", (GivenLabel("happy", 3, None),), False, None, ["a", None]
    )
    full.store.save_imported(project.project_id, [given])
    with open_store(postgres) as server:
        copied = {one.table: one.rows for one in copy(full.store, server, ignore)}
        assert copied["annotation"] == copied["annotation_label"] == 1
        assert server.show(task.clip_id) == full.store.show(task.clip_id)
        assert server.answers() == full.store.answers()


def test_a_destination_with_rows_is_refused_and_kept(full, tmp_path, facts):
    with open_store(tmp_path / "other.db") as other:
        other.register_model(facts(name="theirs"))
        before = dump(other)
        with pytest.raises(UsageError, match="holds model rows already"):
            copy(full.store, other, ignore)
        assert dump(other) == before


def test_a_difference_is_found_and_nothing_is_kept(full, tmp_path):
    with open_store(tmp_path / "other.db") as other:
        with other.alone() as connection:
            connection.exec_driver_sql(
                "CREATE TRIGGER spoil AFTER INSERT ON clip WHEN NEW.start_ms = 1000 "
                "BEGIN UPDATE clip SET speaker = 'another' WHERE id = NEW.id; END"
            )
        with pytest.raises(EnvironmentFault, match="gave back other clip rows"):
            copy(full.store, other, ignore)
        assert not any(dump(other).values())


def test_an_interrupted_copy_leaves_nothing(full, postgres):
    def interrupt(_done, _total):
        raise KeyboardInterrupt

    with open_store(postgres) as server:
        with pytest.raises(KeyboardInterrupt):
            copy(full.store, server, interrupt)
        assert not any(dump(server).values())
        copy(full.store, server, ignore)
        assert dump(server)["run"]


def test_a_snapshot_is_of_one_moment(world):
    @contextmanager
    def reading():
        with world.store.snapshot() as connection:
            yield lambda: connection.execute(text("SELECT count(*) FROM media")).scalar()

    with reading() as count:
        assert count() == 0
        world.sync("a.mp4")
        assert count() == 0
    with reading() as count:
        assert count() == 1
