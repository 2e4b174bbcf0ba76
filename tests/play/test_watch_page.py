"""The page of a program that is watched, in a real browser, against the real command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

Play = Callable[..., str]
Open = Callable[..., Any]

MINE = """
import time
import torch
torch.manual_seed(0)
y = torch.arange(300) % 3
x = torch.randn(3, 16)[y] * 2 + torch.randn(300, 16)
weights = torch.zeros(16, 3, requires_grad=True)
for epoch in range(100_000):
    for i in range(0, 200, 50):
        loss = torch.nn.functional.cross_entropy(x[i:i + 50] @ weights, y[i:i + 50])
        loss.backward()
        with torch.no_grad():
            weights -= 0.1 * weights.grad
            weights.grad = None
    with torch.no_grad():
        preds = (x[200:] @ weights).argmax(1)
    print("<img src=x onerror=alert(1)>",  (preds == y[200:, None]).float().mean().item())
    time.sleep(0.01)
print("the end")
"""


def until(page: Any, expression: str) -> None:
    page.wait_for_function(f"() => {expression}", timeout=60_000)


def test_a_program_is_watched_stopped_and_run_again(play: Play, opened: Open, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    page = opened(play("mine.py"))
    view = page.locator("#watch-view")
    assert page.locator("#title").inner_text() == "mine.py"
    assert not page.locator("#train").is_visible()
    assert "with your rights" in view.inner_text()
    until(page, "document.querySelectorAll('#watch-view .weight canvas').length === 3")
    until(page, "document.querySelector('.finding.error')")
    finding = page.locator(".finding.error").inner_text()
    assert "✗ error broadcast-accuracy mine.py:17 · so far" in finding
    assert "instead" in finding
    assert "<img src=x onerror=alert(1)>" in page.locator(".printed-text").inner_text()
    assert page.locator("#watch-view img").count() == 0
    until(
        page,
        "[...document.querySelectorAll('#watch-view .key')].some((key) => key.textContent.includes('right, counted'))",
    )
    assert page.locator("figure", has_text="Loss of each backward pass").locator("polyline.train").count() == 1
    assert page.locator("figure", has_text="Size of the gradients").locator("polyline").count() == 1
    assert page.locator(".sizes tbody th").inner_text() == "weights"

    page.get_by_role("button", name="Stop").click()
    until(page, "document.querySelector('.how').textContent.includes('its training loops were ended')")
    until(
        page,
        "document.querySelector('.findings') && !document.querySelector('.findings').textContent.includes('so far')",
    )
    assert "the end" in page.locator(".printed-text").inner_text()
    assert page.get_by_role("button", name="Stop").is_disabled()
    assert "byhand doctor mine.py" in view.inner_text()

    (tmp_path / "mine.py").write_text("print('another')\nraise SystemExit('<i>no</i>')\n")
    page.get_by_role("button", name="Run again").click()
    until(page, "document.querySelector('.printed-text').textContent.includes('another')")
    until(page, "document.querySelector('#watch-view .now').textContent.includes('it has ended')")
    assert page.locator(".finding").count() == 0
    assert not page.locator("figure", has_text="Parameters").is_visible()
    assert "<i>no</i>" in page.locator(".how").inner_text()
