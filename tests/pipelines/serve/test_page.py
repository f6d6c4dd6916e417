"""The page: what it is made of, and where a browser is there, that it works in it."""

import re
import shutil
import socket
import threading
import tomllib
from pathlib import Path

import pytest

from interlingua.pipelines.serve.app import PAGE

PARTS = sorted(path for path in PAGE.iterdir() if path.suffix in (".js", ".css", ".html", ".svg"))
OWN = [path for path in PARTS if path.name != "ogl.js"]
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


def words_of(language):
    text = (PAGE / "words.js").read_text(encoding="utf-8")
    begin = re.search(rf"^  {language}: \{{$", text, re.MULTILINE).end()
    return set(re.findall(r"(?<![\w.])([a-z_]+): \"", text[begin : text.index("\n  },", begin)]))


def test_the_page_and_its_parts_are_served_under_a_strict_policy(client):
    for path in ("/", *(f"/page/{each.name}" for each in PARTS)):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert answer.status_code == 200
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    for path in ("/page/ogl.LICENSE.txt", "/page/none.js", "/page/"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", OWN, ids=lambda each: each.name)
def test_nothing_comes_from_elsewhere_and_nothing_is_code_in_a_text(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(src|href|url\(|import|fetch\()[\s\"'(=]*(https?:)?//", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    if path.suffix == ".html":
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)", text)
    for imported in re.findall(r"from \"\./([\w.]+)\"", text):
        assert (PAGE / imported).is_file()


def test_every_text_is_there_in_every_language():
    used = {
        key
        for path in OWN
        for key in re.findall(r"data-t(?:-label)?=\"(\w+)\"|say\(\"(\w+)\"", path.read_text(encoding="utf-8"))
        for key in key
        if key
    }
    english = words_of("en")
    assert used <= english
    for language in ("de", "zh", "ar"):
        assert words_of(language) == english


@pytest.mark.skipif(not BROWSER, reason="no Chromium")
def test_a_question_finds_a_passage_in_a_browser(words, fake_encoder):
    playwright = pytest.importorskip("playwright.sync_api")
    import uvicorn

    from interlingua.pipelines.serve.app import create_app

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(create_app({"words": words}, encoder=fake_encoder), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        with playwright.sync_playwright() as running:
            browser = running.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
            page, wrong = browser.new_page(), []
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.goto(f"http://127.0.0.1:{listening.getsockname()[1]}/")
            page.fill("#query", "sun.sw")
            page.press("#query", "Enter")
            assert page.locator(".hit mark").first.inner_text().startswith("sun")
            with page.expect_request("**/v1/search") as asked:
                page.select_option("#hybrid", "off")
            assert asked.value.post_data_json["hybrid"] == "off"
            page.select_option("#tongue", "ar")
            assert page.locator("html").get_attribute("dir") == "rtl"
            assert wrong == []
            browser.close()
        server.should_exit = True
        thread.join(10)


def test_the_parts_are_in_the_wheel():
    root = Path(__file__).parents[3]
    configured = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    (pattern,) = configured["package-data"]["interlingua.pipelines.serve"]
    assert {path.name for path in PAGE.parent.glob(pattern)} >= {"ogl.LICENSE.txt", *(each.name for each in PARTS)}
