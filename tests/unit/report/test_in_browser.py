"""The page in a real browser: no error, a drawn canvas, no sideways scroll."""

import json
import re
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)
NARROW = 420
PATIENCE_SECONDS = 60

LOOK = """
addEventListener("load", () => setTimeout(() => {
  const figure = document.querySelector(".turning");
  const canvas = figure.querySelector("canvas");
  figure.scrollIntoView({ behavior: "instant" });
  const look = () => {
    const { data } = canvas.getContext("2d")
      .getImageData(0, 0, canvas.width, canvas.height);
    let inked = 0, sum = 0;
    for (let k = 0; k < data.length; k += 4)
      if (data[k + 3] && Math.max(data[k], data[k + 1], data[k + 2])
          - Math.min(data[k], data[k + 1], data[k + 2]) > 40) { inked++; sum += k; }
    return [inked, sum];
  };
  const seen = {}, later = (what, act) => new Promise((done) => {
    act();
    setTimeout(() => { seen[what] = look(); done(); }, 200);
  });
  const key = (name) => canvas.dispatchEvent(
    new KeyboardEvent("keydown", { key: name, cancelable: true }));
  const slide = (value) => {
    const slider = figure.querySelector("input[type=range]");
    slider.value = value;
    slider.dispatchEvent(new Event("input"));
  };
  const drawn = (tries) => new Promise((done) => {
    const ask = (left) => figure.dataset.drawn || !left ? done()
      : setTimeout(() => ask(left - 1), 50);
    ask(tries);
  });
  drawn(60).then(() => later("first", () => {}))
    .then(() => later("turned", () => { for (let n = 0; n < 9; n++) key("ArrowUp"); }))
    .then(() => later("back", () => key("Home")))
    .then(() => later("moved", () => slide(25)))
    .then(() => later("larger", () => key("+")))
    .then(() => new Promise((done) => {
      document.querySelector(".copied button").click();
      setTimeout(() => { seen.copied = getSelection().toString();
        seen.said = document.querySelector(".copied [role=status]").textContent;
        done(); }, 200); }))
    .then(() => console.log("SEEN" + JSON.stringify({ ...seen, width: innerWidth,
      scroll: document.documentElement.scrollWidth,
      fetched: performance.getEntriesByType("resource")
        .filter((e) => !e.name.startsWith("data:")).length }) + "SEEN"));
}, 100));
"""


@pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome is installed")
def test_the_page_draws_turns_and_fits_a_narrow_screen(
    finished: tuple[Path, str], tmp_path: Path
) -> None:
    seen, said = open_page(finished[1], tmp_path)
    assert not re.search(r"ERROR:CONSOLE|Uncaught|Refused", said)
    assert seen["width"] == NARROW
    assert seen["scroll"] <= NARROW  # wide figures and tables scroll in their boxes
    assert seen["fetched"] == 0
    assert seen["first"][0] > 300
    assert seen["turned"] != seen["first"]
    assert seen["back"] == seen["first"]
    assert seen["moved"] != seen["first"]
    assert seen["larger"][0] > seen["moved"][0]
    assert seen["copied"].startswith("hairpin (10 residues, YYDPETGTWY) was simulated")
    assert re.match(r"Copied|Selected", seen["said"])


def open_page(page: str, folder: Path) -> tuple[dict[str, Any], str]:
    """Return what a script in the page saw at phone width, and what was logged.

    The page is in a frame, since a browser without a screen is no narrower than 500.
    """
    assert BROWSER is not None
    inner, outer = folder / "inner.html", folder / "outer.html"
    inner.write_text(page.replace("</body>", f"<script>{LOOK}</script></body>"))
    size = f"width:{NARROW}px;height:900px;border:0"
    outer.write_text(f'<iframe src="inner.html" style="{size}"></iframe>')
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu",
        "--enable-logging=stderr", f"--user-data-dir={folder / 'profile'}",
        "--window-size=800,1000", outer.as_uri(),
    ]  # fmt: skip
    said, found = "", None
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as browser:
        deadline = threading.Timer(PATIENCE_SECONDS, browser.kill)
        deadline.start()
        assert browser.stderr is not None
        for line in browser.stderr:
            said += line
            if found := re.search(r"SEEN(\{.*\})SEEN", line):
                break
        deadline.cancel()
        browser.terminate()
    assert found is not None, said[-2000:]
    return json.loads(found[1]), said
