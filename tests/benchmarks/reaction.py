"""What the page's reactions are measured with: from an event until what it draws is painted, and the floor below that.

The floor is the same browser making the same drawing calls again, from data that is in the page already, and nothing
else: no Python, no transport, no text. It is measured after each movement, so that both find the browser as warm. Times
go with the machine, their ratio to the floor does not.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import Row

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from decoding import Trace

__all__ = ["near_and_far", "p95", "reaction_row", "timed"]

PATIENCE = 10_000  # milliseconds
WALK = 300  # milliseconds between two movements of a hand
DELAY = 100  # milliseconds added to every request

# Notes every drawing call of a chart. "Painted" is the first task after a frame by which all of `parts` were drawn;
# what is no chart is drawn when its content changes.
WATCH_DRAWING = """() => {
  const bench = (window.dxBench = { calls: [], moves: [], time: null });
  let inside = false;
  const noted = (owner, name) => {
    const plain = owner[name];
    owner[name] = (...given) => {
      if (!inside) bench.calls.push([plain, given, given[0].closest("[id^=dx-]")?.id]);
      const before = inside;
      inside = true;
      try { return plain(...given); } finally { inside = before; }
    };
  };
  for (const name of ["react", "relayout", "update"]) noted(Plotly, name);
  noted(dx, "plot");
  noted(dx.beamPicture, "draw");
  bench.painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const changed = new Set();
  const eye = new MutationObserver((changes) => {
    for (const { target } of changes) changed.add(target.closest?.("[id^=dx-]")?.id);
  });
  bench.arm = (event, parts, others) => {
    for (const id of others) eye.observe(document.getElementById(id), { childList: true, subtree: true });
    bench.time = new Promise((done) => {
      document.addEventListener(event, async () => {
        const began = performance.now();
        bench.calls.length = 0;
        changed.clear();
        const drawn = () => parts.every((part) => bench.calls.some(([, , id]) => id === part))
          && others.every((id) => changed.has(id));
        do await bench.painted(); while (!drawn() && performance.now() - began < 10_000);
        bench.moves.push([...bench.calls]);
        done(performance.now() - began);
      }, { once: true, capture: true });
    });
  };
}"""

# The drawings of the movement before are made first: what is timed draws another picture, as the movement did.
FLOOR = """async () => {
  const { moves, painted } = window.dxBench;
  let took = null;
  for (const calls of moves.slice(-2)) {
    await new Promise((done) => setTimeout(done, 100));
    await painted();
    const began = performance.now();
    for (const [plain, given] of calls) plain(...given);
    await painted();
    took = performance.now() - began;
  }
  return took;
}"""


def near_and_far(trace: Trace, ready: str) -> Iterator[tuple[Page, str]]:
    """The page with a run, whose drawing is watched: as it is served, and with `DELAY` added to every request.

    Args:
        ready: what is attached once it is drawn.

    Returns:
        Pages, each with what is to be said of where it is.
    """
    from playwright.sync_api import sync_playwright

    from tests.browser import ARGUMENTS, find_browser
    from tests.page.conftest import served, settle

    with tempfile.TemporaryDirectory() as folder, served(trace, Path(folder)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(ARGUMENTS))
        for delay in (0, DELAY):
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(url)
            page.wait_for_selector(ready, state="attached")
            settle(page)
            page.evaluate(WATCH_DRAWING)
            if delay:
                _add_delay(page, delay)
            yield page, f", {delay} ms added to requests" if delay else ""
            page.close()
        browser.close()


def timed(
    page: Page, event: str, parts: list[str], act: Callable[[], None], others: Sequence[str] = ()
) -> tuple[float, float]:
    """Milliseconds from the event that `act` makes until all parts are painted anew, and those of the floor.

    The hand rests in between.

    Args:
        parts: ids of the charts.
        others: ids of what is no chart, and is waited for, too.
    """
    page.evaluate("asked => window.dxBench.arm(...asked)", [event, parts, list(others)])
    act()
    time = page.evaluate("window.dxBench.time")
    page.wait_for_timeout(WALK)
    lowest = page.evaluate(FLOOR)
    page.wait_for_timeout(WALK)
    return time, lowest


def _add_delay(page: Page, delay: int) -> None:
    """Adds milliseconds to every request from now on."""
    network = page.context.new_cdp_session(page)
    conditions = {"offline": False, "latency": delay, "downloadThroughput": -1, "uploadThroughput": -1}
    network.send("Network.emulateNetworkConditions", conditions)


def p95(times: list[float]) -> float:
    """The time that one in twenty exceeds."""
    return sorted(times)[int(0.95 * len(times))]


def reaction_row(name: str, movements: list[tuple[float, float]], bar: int, ratio: float | None = None) -> Row:
    """A line: median, p95 and the ratio to the floor, held against both bars.

    Args:
        movements: from `timed`.
        ratio: to the floor, at most; None where the floor draws less than what was waited for.
    """
    times, lowest = zip(*movements, strict=True)
    median, floor = statistics.median(times), statistics.median(lowest)
    return Row(
        name=name,
        measured=f"{median:.0f} ms, p95 {p95(list(times)):.0f} ms, {median / floor:.2f} × the floor",
        spread=f"{min(times):.0f} to {max(times):.0f} ms, n = {len(times)}; floor {floor:.0f} ms",
        bar=f"≤ {bar} ms" + ("" if ratio is None else f", ≤ {ratio} × the floor"),
        met=median <= bar and (ratio is None or median <= ratio * floor),
    )
