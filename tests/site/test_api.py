"""The reference holds what is public: the names of byhand, and the modules that the pages import from."""

import re
from pathlib import Path

import byhand
from docs.site.api import Module, index, modules, page

ROOT = Path(__file__).resolve().parents[2]


def test_every_public_name_stands_in_the_reference_once() -> None:
    named = re.findall(r"^\.\. auto(?!module)\w+:: byhand\.(\w+)$", "".join(map(page, modules([]))), re.MULTILINE)
    assert sorted(named) == sorted(byhand.__all__)


def test_a_module_that_a_page_imports_from_is_public(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text(
        "```python\nfrom byhand.loss import cross_entropy_with_grad, softmax\n"
        "from byhand.evaluate.softmax_regression import solve\n"
        "from os import path\n```\n```text\nfrom byhand.wide import product\n```\n"
    )
    found = {module.name: module for module in modules([file])}
    assert found["byhand.loss"].own == ("cross_entropy_with_grad",)
    assert found["byhand.evaluate.softmax_regression"] == (
        "byhand.evaluate.softmax_regression", (), ("Solution", "rows_of", "solve"),
    )  # fmt: skip
    assert "byhand.wide" not in found


def test_each_name_is_shown_as_what_it_is() -> None:
    text = page(Module("byhand.learner", ("Learner", "Callback", "DataError", "accuracy"), ()))
    assert ".. autoclass:: byhand.Learner\n   :members:\n" in text
    assert ".. autodata:: byhand.Callback\n   :no-value:\n" in text
    assert ".. autoexception:: byhand.DataError\n" in text
    assert ".. autofunction:: byhand.accuracy\n" in text


def test_the_index_links_every_module() -> None:
    found = modules([])
    text = index(found)
    assert all(f"- :doc:`{module.name}`: {module.about}\n" in text for module in found)
    assert "  :py:obj:`byhand.softmax`, :py:obj:`byhand.log_softmax`, " in text
