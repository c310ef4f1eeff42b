"""A real browser logs in to the real server."""

import pytest

from label_studio_login import sdk_client


@pytest.fixture
def project(label_studio):
    with sdk_client(label_studio.url, label_studio.token) as client:
        made = client.projects.create(title="Seen in a browser", label_config="<View/>")
        yield made
        client.projects.delete(made.id)


@pytest.fixture
def page(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Chromium's own sandbox refuses root, which CI often is.
        browser = playwright.chromium.launch(executable_path=str(chromium), args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 1280, "height": 900})
        browser.close()


def test_the_user_logs_in_and_sees_the_list_of_projects(label_studio, project, page, tmp_path):
    page.goto(f"{label_studio.url}/user/login/", wait_until="commit")
    page.fill("input[name=email]", label_studio.email)
    page.fill("input[name=password]", label_studio.password)
    page.click("button[type=submit]")
    page.wait_for_function("!location.pathname.startsWith('/user/login')")
    page.goto(f"{label_studio.url}/projects/", wait_until="commit")
    page.get_by_text(project.title).first.wait_for()
    page.screenshot(path=tmp_path / "projects.png")
    assert (tmp_path / "projects.png").stat().st_size > 5_000
