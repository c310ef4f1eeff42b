"""A report and a timeline in a real browser without a network, in light and dark.

The pictures of both are kept in build/artefacts.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from annotator.report.page import render
from annotator.report.timeline import timeline
from annotator.report.timeline_page import page as timeline_page

ARTEFACTS = Path(__file__).resolve().parents[3] / "build" / "artefacts"
SECTIONS = 11
MARKS = "path, rect, circle, text"
PLAY = """async () => {
    const video = document.querySelector('video');
    video.muted = true;
    await video.play();
    await new Promise(done => setTimeout(done, 400));
    video.pause();
    return {at: video.currentTime, width: video.videoWidth, duration: video.duration};
}"""


@pytest.fixture(scope="module")
def files(world, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    with world.workspace.open_store() as store:
        shown = timeline(store.show(world.video), None, with_sound=True)
    pages = {"report": render(world.report("starter-r1", media=True)),
             "timeline": timeline_page(shown)}  # fmt: skip
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text)
    return {name: folder / f"{name}.html" for name in pages}


@pytest.fixture(scope="module")
def browser(chromium) -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Chromium's own sandbox refuses root, which CI often is.
        opened = playwright.chromium.launch(executable_path=str(chromium), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(params=["light", "dark"])
def opened(request, browser, files):
    """Opens a page by name; whatever it says or asks for is a failure at the end."""
    faults: list[str] = []
    context = browser.new_context(
        color_scheme=request.param, viewport={"width": 1280, "height": 900}, reduced_motion="reduce"
    )

    def look(name: str):
        page = context.new_page()
        page.on("console", lambda said: faults.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: faults.append(f"dialog: {dialog.message}"))
        page.on(
            "request",
            lambda asked: (
                None if asked.url.startswith(("file://", "data:")) else faults.append(asked.url)
            ),
        )
        page.route(lambda url: not url.startswith(("file:", "data:")), lambda r: r.abort())
        page.goto(files[name].as_uri())
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=ARTEFACTS / f"{name}-{request.param}.png", full_page=True)
        return page

    yield look
    context.close()
    assert faults == []


@pytest.mark.parametrize("name", ["report", "timeline"])
def test_every_figure_is_drawn_within_the_page(opened, name):
    page = opened(name)
    charts = page.locator("svg[role=img]").all()
    assert len(charts) >= (1 if name == "timeline" else 15)
    for chart in charts:
        box = chart.bounding_box()
        assert box["width"] > 100
        assert box["height"] > 20
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 1280
        seen = chart.locator(MARKS).evaluate_all(
            "marks => marks.filter(m => m.getBBox().width + m.getBBox().height > 0).length"
        )
        assert seen > 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_links_lead_to_their_sections(opened):
    page = opened("report")
    links = page.locator("nav a").all()
    assert len(links) == SECTIONS
    for link in links:
        link.click()
        target = page.locator(link.get_attribute("href"))
        # Near the top, or as near as the end of the page lets it.
        top = target.evaluate("e => e.getBoundingClientRect().top")
        last = page.evaluate("innerHeight + scrollY >= document.documentElement.scrollHeight - 2")
        assert -2 <= top < 40 or last


def test_the_keyboard_reaches_what_can_be_used(opened):
    page = opened("report")
    page.keyboard.press("Tab")
    skip = page.locator(".skip")
    assert skip.evaluate("e => e === document.activeElement")
    page.wait_for_timeout(50)
    assert skip.bounding_box()["y"] >= 0  # it is seen once it has the focus
    outline = skip.evaluate("e => getComputedStyle(e).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_numbers_open_and_films_play(opened):
    page = opened("report")
    details = page.locator("details").first
    assert not details.locator("table").is_visible()
    details.locator("summary").click()
    assert details.locator("table").is_visible()
    played = page.evaluate(PLAY)
    assert played["at"] > 0
    assert played["width"] > 0
    assert 1 < played["duration"] < 3


def test_ink_stands_out_from_the_paper_in_both_schemes(opened):
    page = opened("report")
    found = page.evaluate(
        """() => [...document.querySelectorAll('h2, p, figcaption, .tick, .value')].map(e => {
            const style = getComputedStyle(e);
            return [e instanceof SVGElement ? style.fill : style.color,
                    getComputedStyle(document.body).backgroundColor];
        })"""
    )
    assert len(found) > 50
    for ink, paper in found:
        assert contrast(ink, paper) >= 4.5


def test_paper_is_white_in_either_scheme_and_has_no_links_to_click(opened):
    page = opened("report")
    page.emulate_media(media="print")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    assert page.locator("figure").first.is_visible()


def test_on_a_narrow_screen_nothing_is_cut_off(browser, files):
    context = browser.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(files["report"].as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.screenshot(path=ARTEFACTS / "report-narrow.png")
    context.close()


def contrast(first: str, second: str) -> float:
    """WCAG 2: relative luminances, the lighter over the darker."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
