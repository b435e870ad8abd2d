"""How `make docs` builds the guide: Sphinx reads the Markdown of this folder as it is read on a code host."""

from __future__ import annotations

from migrator import __version__

project = "migrate"
author = "the maintainers of migrate"
release = version = __version__
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 4
html_theme = "furo"
html_title = f"migrate {__version__}"
html_copy_source = False
html_show_copyright = False
exclude_patterns = ["_build"]
nitpicky = True
