"""Sphinx's settings. The pages are made by ``docs/site``; ``scripts/docs`` runs both."""

import re

import byhand

project = "byhand"
author = "the authors of byhand"
project_copyright = "the authors of byhand, Apache-2.0"
version = release = byhand.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

# The pages are plain Markdown: what is said in it to MyST alone would be shown on a code host, and so is not.
myst_disable_syntax = ["myst_line_comment", "myst_block_break", "myst_target", "myst_role"]
myst_heading_anchors = 3

default_role = "literal"
autoclass_content = "both"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
maximum_signature_line_length = 88
add_module_names = False
toc_object_entries = False
napoleon_include_init_with_doc = False
napoleon_numpy_docstring = False

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = "byhand"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False


def _formulas_as_they_stand(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Indented blocks of a docstring, formulas mostly, keep their lines."""
    out: list[str] = []
    inside = False
    for i, line in enumerate(lines):
        indented = line.startswith("    ")
        if indented and not inside and i and not lines[i - 1].strip() and _is_text(out):
            out += ["::", ""]
            inside = True
        elif line.strip() and not indented:
            inside = False
        out.append(line)
    lines[:] = out


def _is_text(lines: list[str]) -> bool:
    """Whether the last line that says something is running text, not part of a list of arguments."""
    said = [line for line in lines if line.strip()]
    return bool(said) and not said[-1].startswith(" ") and not re.fullmatch(r"[A-Z][a-z]+:", said[-1])


def _not_told(app: object, what: str, name: str, obj: object, skip: bool, options: object) -> bool | None:
    """Fields of a named tuple are told in its comments, if at all; what scikit-learn adds to an estimator, there."""
    if str(getattr(obj, "__module__", "")).startswith("sklearn."):
        return True
    return True if (getattr(obj, "__doc__", "") or "").startswith("Alias for field number") else None


def setup(app: object) -> None:
    """Called by Sphinx."""
    connect = app.connect  # type: ignore[attr-defined]
    connect("autodoc-process-docstring", _formulas_as_they_stand, priority=100)  # before napoleon
    connect("autodoc-skip-member", _not_told)
