"""A real browser on the pages: the drawer, the keyboard, the phone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

ADDRESSES = [
    "/",
    "/account/330481",
    "/account/330400?by=place&tree=management",
    "/methods/cn.combustion",
    "/factors",
    "/factors/power.co2",
    "/imports",
    "/explain?item=emission.co2&place=330481&period=2024&basis=B&part=electricity&method=cn.electricity&sector=C17",
]


@pytest.fixture
def quiet(page: Page) -> Iterator[Page]:
    """A page on which nothing goes wrong in the console."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.set_default_timeout(20_000)
    yield page
    assert not faults


def test_the_headline_opens_down_to_its_rows(quiet: Page, address: str) -> None:
    quiet.set_viewport_size({"width": 1440, "height": 1000})
    quiet.goto(address + "/")
    expect(quiet.locator("[data-chart][data-ready]").first).to_be_visible()
    quiet.click("#headline")
    drawer = quiet.locator("dialog#drawer")
    expect(drawer).to_be_visible()
    expect(drawer.locator("math").first).to_be_visible()
    drawer.get_by_role("link", name="32,", exact=False).first.click()
    expect(drawer.get_by_text("cn.electricity")).to_be_visible()
    expect(drawer.locator("table.rows tbody tr").first).to_be_visible()
    expect(drawer.get_by_text("0.4974").first).to_be_visible()
    drawer.locator("[data-drawer=back]").click()
    expect(drawer.locator("h1")).to_contain_text("消费侧")
    quiet.keyboard.press("Escape")
    expect(drawer).not_to_be_visible()
    assert quiet.evaluate("document.activeElement.id") == "headline"


def test_the_drawer_holds_the_focus(quiet: Page, address: str) -> None:
    quiet.goto(address + "/")
    quiet.locator("#headline").focus()
    quiet.keyboard.press("Enter")
    expect(quiet.locator("#drawer-body article")).to_be_visible()
    for _ in range(12):
        quiet.keyboard.press("Tab")
        outside = "document.activeElement !== document.body && !document.activeElement.closest('#drawer')"
        assert not quiet.evaluate(outside)


def test_the_keyboard_reaches_the_content_and_the_map(quiet: Page, address: str) -> None:
    quiet.goto(address + "/")
    quiet.keyboard.press("Tab")
    assert quiet.evaluate("document.activeElement.className") == "skip"
    quiet.locator(".map-box a").first.focus()
    name = quiet.evaluate("document.activeElement.getAttribute('aria-label')")
    assert "万吨" in name
    quiet.keyboard.press("Enter")
    expect(quiet.locator("h1")).to_contain_text("碳账户")


def test_a_chart_has_its_table_and_a_month_of_it_opens(quiet: Page, address: str) -> None:
    quiet.goto(address + "/")
    table = quiet.locator("#t-path")
    expect(table).not_to_be_visible()
    quiet.locator("[data-toggle][href='#t-path']").click()
    expect(table.locator("tbody tr")).to_have_count(36)
    table.locator("a.num").first.click()
    expect(quiet.locator("#drawer-body .crumbs")).to_contain_text("2024年12月")


def test_search_leads_to_a_place(quiet: Page, address: str) -> None:
    quiet.goto(address + "/methods")
    quiet.keyboard.press("/")
    quiet.keyboard.type("海宁")
    expect(quiet.locator("#found a").first).to_contain_text("海宁市")
    quiet.keyboard.press("Enter")
    expect(quiet.locator("h1")).to_contain_text("海宁市")


def test_the_pickers_change_the_page(quiet: Page, address: str) -> None:
    quiet.goto(address + "/")
    quiet.select_option("#pick-tree", "management")
    quiet.wait_for_url("**tree=management**")
    expect(quiet.get_by_text("嘉兴港区").first).to_be_visible()
    quiet.select_option("#pick-period", "2023")
    quiet.wait_for_url("**period=2023**")
    expect(quiet.locator("#h-head")).to_contain_text("2023年")
    quiet.get_by_role("link", name="English").click()
    expect(quiet.locator("#h-head")).to_contain_text("2023")
    expect(quiet.locator("html")).to_have_attribute("lang", "en")


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_nothing_is_wider_than_a_phone(quiet: Page, address: str, path: str, lang: str) -> None:
    quiet.set_viewport_size({"width": 375, "height": 812})
    quiet.goto(f"{address}{path}{'&' if '?' in path else '?'}lang={lang}")
    assert quiet.evaluate("document.documentElement.scrollWidth") <= 375


def test_the_drawer_fills_a_phone(quiet: Page, address: str) -> None:
    quiet.set_viewport_size({"width": 375, "height": 812})
    quiet.goto(address + "/")
    quiet.click("#headline")
    expect(quiet.locator("#drawer-body article")).to_be_visible()
    box = quiet.locator("dialog#drawer").bounding_box()
    assert box is not None
    assert box["width"] == 375
    assert quiet.evaluate("document.getElementById('drawer-body').scrollWidth") <= 375


def test_pages_work_without_scripts(address: str, browser: object) -> None:
    context = browser.new_context(java_script_enabled=False)  # type: ignore[attr-defined]
    page = context.new_page()
    page.goto(address + "/")
    page.click("#headline")
    expect(page.locator("article.explain.full h1")).to_be_visible()
    expect(page.locator("math").first).to_be_visible()
    context.close()
