"""Sphinx's configuration of the HTML site. The sources are laid out by tools/build_site.py; nothing here asks the network."""

project = "xuegao.net"
author = "xuegao.net maintainers"
copyright = author  # noqa: A001  Sphinx gives it this name
extensions = ["myst_parser", "sphinx_antsibull_ext"]
html_theme = "furo"
html_title = "xuegao.net"
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
pygments_style = "default"
# Blocks without a language are commands and extracts of configuration.
highlight_language = "text"
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
default_role = "any"
# antsibull-docs marks examples with an upper-case name of the lexer, and some hold two documents.
suppress_warnings = ["misc.highlighting_failure"]

# Labels of Ansible's own documentation, which is not asked: their text stays, without a link. Any other that is missing is a warning.
OF_ANSIBLE = (
    "action_plugins",
    "ansible_collections.ansible.",
    "ansible_configuration_settings",
    "callback_plugins",
    "common_return_values",
    "connection_plugins",
)


def without_link(app, env, node, contnode):  # type: ignore[no-untyped-def]
    """Leave the text of a reference into Ansible's own documentation."""
    return contnode if str(node.get("reftarget", "")).startswith(OF_ANSIBLE) else None


def setup(app):  # type: ignore[no-untyped-def]
    """Connect the above."""
    app.connect("missing-reference", without_link)
