"""Make the site: ``python -m docs.site [FOLDER]``; status 1 if Sphinx has a warning, or a link leads nowhere."""

import shutil
import sys
import tempfile
from pathlib import Path

from sphinx.cmd.build import build_main

from docs.site import built, pages

_ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    """Build into the folder that the only argument names, build/site if there is none."""
    site = Path(arguments[0]) if arguments else _ROOT / "build" / "site"
    shutil.rmtree(site, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        texts, trees = Path(folder, "pages"), Path(folder, "trees")
        pages.write(_ROOT, texts)
        options = ["-q", "-W", "--keep-going", "-b", "html", "-c", str(_ROOT / "docs"), "-d", str(trees)]
        if status := build_main([*options, str(texts), str(site)]):
            return status
    found = built.look(site)
    for fault in found.faults:
        print(fault, file=sys.stderr)
    for address, page in found.outside.items():
        print(f"outside, not followed: {address}  ({page})")
    print(f"{site / 'index.html'}: {found.links:,} links inside, {len(found.faults)} lead nowhere")
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
