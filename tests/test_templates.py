"""Templates: what is printed is text, where they are looked for, and what is missing."""

import pytest
from jinja2 import TemplateNotFound, UndefinedError
from markupsafe import Markup

from byhand.templates import environment


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A package with a template, and another with one of the same name and one more."""
    for package, files in {
        "first_home": {"a.txt": "{{ x }}\n"},
        "second_home": {"a.txt": "no", "b.txt": "two"},
    }.items():
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        for name, text in files.items():
            (tmp_path / package / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("home")
def test_a_template_is_looked_for_in_order():
    pages = environment("first_home", "second_home")
    assert pages.get_template("a.txt").render(x=1) == "1"
    assert pages.get_template("b.txt").render() == "two"
    with pytest.raises(TemplateNotFound):
        environment("first_home").get_template("b.txt")


@pytest.mark.usefixtures("home")
def test_what_is_printed_is_text_on_one_line_and_markup_is_markup():
    page = environment("first_home").get_template("a.txt")
    assert page.render(x="<b>\x1b[2J\u202e\nend") == r"&lt;b&gt;\x1b[2J\u202e\nend"
    assert page.render(x=Markup("<b>\n")) == "<b>\n"
    with pytest.raises(UndefinedError):
        page.render()
