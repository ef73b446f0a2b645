"""Sphinx's settings for the site; it is staged and built by :mod:`manual.site`."""

from __future__ import annotations

project = "AWARE"
author = "The AWARE founders"
copyright = author
html_title = "AWARE"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 4  # links of the pages lead to headings, as on GitHub
suppress_warnings = ["myst.header", "misc.highlighting_failure"]
exclude_patterns: list[str] = []
html_theme = "furo"
html_copy_source = False
html_show_sphinx = False
html_static_path: list[str] = []
