"""Links that lead to files on a code host lead to pages on the site."""

from pathlib import Path

import pytest

from docs.site.addresses import CASES, Addresses, without_code


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("README.md", "docs/a.md", "docs/play/1.png", "src/byhand/loss.py", f"{CASES}/nan-loss/why.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "text", "rewritten"),
    [
        ("README.md", "[a](docs/a.md)", "[a](a.md)"),
        ("README.md", "[a](docs/a.md#some-place)", "[a](a.md#some-place)"),
        ("README.md", "![p](docs/play/1.png)", "![p](play/1.png)"),
        ("docs/a.md", "[`loss.py`](../src/byhand/loss.py)", "[`loss.py`](source/src/byhand/loss.py.md)"),
        ("docs/a.md", "[all](../src/byhand)", "[all](source/src/byhand/index.md)"),
        ("docs/a.md", "[top](../README.md), [here](#b)", "[top](index.md), [here](#b)"),
        (
            "docs/a.md",
            f"[c](../{CASES}), [`n`](../{CASES}/nan-loss)",
            "[c](checks/index.md), [`n`](checks/nan-loss.md)",
        ),
        ("docs/a.md", "`nan-loss` and `other`", "[`nan-loss`](checks/nan-loss.md) and `other`"),
        (f"{CASES}/nan-loss/why.md", "`nan-loss`", "`nan-loss`"),
        ("docs/a.md", "[x](https://example.org/a.md) <https://example.org>", None),
        ("docs/a.md", "```text\n[x](nowhere.md) `nan-loss`\n```\n", None),
        ("docs/a.md", "so:\n\n    layers[-1](x) + `nan-loss`\n", None),
        ("docs/a.md", "`layers[-1](x)`", None),
    ],
)
def test_links_lead_to_pages(root: Path, file: str, text: str, rewritten: str | None) -> None:
    assert Addresses(root, ["nan-loss"]).rewrite(text, file) == (rewritten or text)


def test_what_is_linked_is_remembered_in_its_order(root: Path) -> None:
    addresses = Addresses(root)
    addresses.rewrite("[a](src/byhand) [b](src/byhand/loss.py) [a](src/byhand) ![p](docs/play/1.png)", "README.md")
    assert list(addresses.files) == ["src/byhand", "src/byhand/loss.py"]
    assert addresses.pictures == {"docs/play/1.png": "play/1.png"}


@pytest.mark.parametrize("link", ["[a](b.md)", "![a](b.png)", "[a](../b)"])
def test_a_link_to_nothing_is_named(root: Path, link: str) -> None:
    with pytest.raises(FileNotFoundError) as error:
        Addresses(root).rewrite(f"Words, and {link}.", "docs/a.md")
    assert str(error.value).startswith(f"docs/a.md: {link.lstrip('!')}: there is no ")


def test_code_is_taken_out_whole() -> None:
    text = "one\n\n```python\ntwo\n```\n- item\n\n  ```\n  three\n  ```\n  four\n\n    five\n"
    assert "".join(without_code(text).split()) == "one-itemfourfive"  # an item goes on in its fifth column
