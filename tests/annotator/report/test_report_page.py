"""What stands in the page of a report, and what never does."""

import base64
import hashlib
from html.parser import HTMLParser

import pytest

from annotator import registry
from annotator.report import media
from annotator.report.build import build
from annotator.report.media import Projector
from annotator.report.page import coded, render

ALLOWED = {"html", "head", "meta", "link", "title", "style", "body", "a", "div", "header", "h1",
           "h2", "h3", "h4", "p", "nav", "ul", "li", "main", "section", "figure", "figcaption",
           "svg", "path", "rect", "circle", "text", "details", "summary", "table", "caption",
           "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd", "blockquote", "code", "footer",
           "video", "img"}  # fmt: skip


class Reader(HTMLParser):
    """Notes every tag and attribute, the text, and what the style sheet holds."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.sheet = ""
        self._in_sheet = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._in_sheet = tag == "style"

    def handle_endtag(self, tag):
        self._in_sheet = False

    def handle_data(self, data):
        if self._in_sheet:
            self.sheet += data
        self.text += data

    def values(self, name: str) -> list[str]:
        return [value for _, given, value in self.attributes if given == name]


@pytest.fixture(scope="module")
def page(world) -> str:
    return render(world.report(media=True))


@pytest.fixture(scope="module")
def read(page) -> Reader:
    return Reader(page)


def test_no_name_of_the_corpus_becomes_markup(read, world):
    assert read.tags <= ALLOWED
    assert "</script></style><img src=x onerror=alert(1)> \"quoted\" & 'single' 0" in read.text
    for name in ("<b>bold</b>", "<i>ann</i>", "</title><script>alert(2)</script>",
                 world.video.name, "<u>corpus & co"):  # fmt: skip
        assert name in read.text
    assert not [name for _, name, _ in read.attributes if name.startswith("on")]


def test_the_page_asks_for_nothing_and_lets_nothing_in(read):
    (policy,) = [v for t, n, v in read.attributes if n == "content" and "default-src" in v]
    digest = base64.b64encode(hashlib.sha256(read.sheet.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert "url(" not in read.sheet
    assert "@import" not in read.sheet
    assert not read.values("style")  # the policy forbids such attributes
    for place in (*read.values("src"), *read.values("href"), *read.values("poster")):
        assert place.startswith(("#", "data:"))


def test_every_link_leads_somewhere_and_every_id_is_one(read):
    ids = read.values("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in read.values("href") if link.startswith("#")} <= set(ids)


def test_pictures_can_be_heard_and_sections_found(read):
    drawn = [tag for tag, name, value in read.attributes if (name, value) == ("role", "img")]
    named = [v for t, n, v in read.attributes if t == "svg" and n == "aria-label"]
    assert len(drawn) == len(named) > 10
    assert all(named)
    assert {"main", "nav", "header", "footer", "h1"} <= read.tags


def test_all_sections_have_something_to_show(world):
    report = world.report("starter-r1")
    assert [s.name for s in report.sections if s.missing] == []
    shown = {section.id: section for section in report.sections}
    assert shown["learning-curve"].headline == "Macro F1 rose over 1 round"
    assert "2 model versions, 1 of them trained from another" in shown["lineage"].headline
    assert shown["people"].figures[0].table.rows[0][4] == "8"


def test_without_anything_each_section_names_its_command(bare):
    with bare.open_store() as store:
        version = registry.choose(bare, registry.STARTER)
        made = build(bare, store, version, each=2, with_media=True, progress=lambda _: None)
    missing = {section.id: section.missing or "" for section in made.sections}
    assert "`annotate run CORPUS`" in missing["labels"]
    assert "`annotate pull`" in missing["reliability"]
    assert "`annotate finetune`" in missing["learning-curve"]
    assert "<code>annotate run CORPUS</code>" in render(made)


def test_numbers_are_those_of_the_store(world):
    report = world.report()
    corpus = {section.id: section for section in report.sections}["corpus"]
    assert dict(corpus.facts) == {
        "of clips": "12.0 s",
        "clips": "8",
        "files": "1",
        "speakers": "1",
        "failed": "0",
    }


def test_progress_is_told_of_every_step(world):
    from annotator.report.build import STEPS

    told: list[int] = []
    version = registry.choose(world.workspace, registry.STARTER)
    with world.workspace.open_store() as store:
        build(world.workspace, store, version, each=3, with_media=False, progress=told.append)
    assert sum(told) == STEPS + 2 * 3


def test_without_media_the_page_is_small_and_says_so(world):
    read = Reader(render(world.report(media=False)))
    assert "video" not in read.tags
    assert "left out by --no-media" in read.text


def test_films_stop_where_their_room_ends(world):
    clip = (world.video, (0, 1500))
    with Projector(budget=1 << 20) as wide:
        whole = wide.shown(*wide.begin([clip]))
    assert whole.still is not None
    assert whole.film is not None
    assert whole.lacking is None
    size = (len(whole.still) + len(whole.film)) * 3 // 4
    with Projector(budget=size + 2_000) as narrow:
        first, second = map(narrow.shown, narrow.begin([clip, clip]))
    assert first == whole
    assert second.film is None
    assert second.lacking is not None
    assert "no room" in second.lacking


def test_a_lost_file_costs_its_own_film(world, tmp_path):
    with Projector() as projector:
        lost = projector.shown(*projector.begin([(tmp_path / "gone.mp4", (0, 1000))]))
    assert (lost.still, lost.film) == (None, None)
    assert lost.lacking is not None


def test_a_page_of_films_stays_under_its_limit():
    assert media.BUDGET * 4 / 3 < 17e6  # of 20 MB: the rest is for everything else


def test_commands_are_marked_and_the_rest_escaped():
    assert coded("<b> `a <c>`") == "&lt;b&gt; <code>a &lt;c&gt;</code>"
