"""The look at what was built: a link that leads nowhere is found, and so is a page that asks somebody else."""

from pathlib import Path

import pytest

from docs.site.built import look

PAGES = {
    "index.html": '<h1 id="top-of-it"></h1><a href="a/b.html#there">b</a><a href="#top-of-it">up</a><a href="#">top</a>'
    '<link rel="stylesheet" href="s.css?v=1"><a href="https://example.org/x"></a><img src="data:image/png;base64,AA">',
    "a/b.html": '<span id="there"></span><a name="old"></a><a href="../index.html">home</a><a href="b.html#old">old</a>'
    '<img src="../p.png"><a href="c%20d.txt">file</a>',
    "a/c d.txt": "",
    "p.png": "",
    "s.css": "body { background: url('p.png') }",
}


def write(folder: Path, pages: dict[str, str]) -> Path:
    for name, text in pages.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_a_sound_site_has_no_fault(tmp_path: Path) -> None:
    found = look(write(tmp_path, PAGES))
    assert found.faults == ()
    assert found.outside == {"https://example.org/x": "index.html"}
    assert found.links == 6


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("index.html", '<a href="nowhere.html">x</a>', "index.html: nowhere.html: no such page"),
        ("index.html", '<a href="a/b.html#nowhere">x</a>', "index.html: a/b.html#nowhere: no such place on that page"),
        ("index.html", '<a href="#nowhere">x</a>', "index.html: #nowhere: no such place on that page"),
        ("a/b.html", '<img src="p.png">', "a/b.html: p.png: no such file"),
        (
            "index.html",
            '<script src="https://a.org/x.js"></script>',
            "index.html: https://a.org/x.js is asked of somebody else",
        ),
        (
            "index.html",
            '<link rel="icon" href="//a.org/x.ico"/>',
            "index.html: //a.org/x.ico is asked of somebody else",
        ),
        ("s.css", "@import 'https://a.org/f.css';", "s.css: https://a.org/f.css is asked of somebody else"),
        ("s.css", "@font-face { src: url(f.woff2) }", "s.css: f.woff2: no such file"),
    ],
)
def test_each_fault_is_named(tmp_path: Path, name: str, text: str, fault: str) -> None:
    write(tmp_path, PAGES)
    write(tmp_path, {name: PAGES[name] + text})
    assert look(tmp_path).faults == (fault,)
