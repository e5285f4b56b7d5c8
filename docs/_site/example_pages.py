"""Pages from outside docs/, and a place in the navigation for each; a hook of mkdocs.

The READMEs of examples/ and benchmarks/ are pages of the site. What else the documents
link to, sources and folders, is named there without a link: the site may lie anywhere.
"""

import os
import re
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s:]+)(#[^)\s]*)?\)")
TASKS, EXAMPLES, EXTENSIONS = "How to", "Examples", "Extend it"


def list_outside() -> dict[Path, str]:
    """Return the READMEs that become pages, with the page of each."""
    found = {
        readme: f"examples/{readme.parent.name}.md"
        for readme in sorted(REPOSITORY.glob("examples/*/README.md"))
    }
    return found | {REPOSITORY / "benchmarks" / "README.md": "benchmarks.md"}


def on_config(config: Any) -> Any:
    """Give each example, and each page that mkdocs.yml does not name, its place."""
    parts = {name: pages for part in config.nav if isinstance(part, dict)
             for name, pages in part.items()}  # fmt: skip
    named = re.findall(r"[\w./-]+\.md", repr(config.nav))
    there = [path.name for path in sorted(DOCS.glob("*.md"))]
    for page in [*there, *list_outside().values()]:
        if page in named:
            continue
        is_example = page.startswith(f"{EXAMPLES.lower()}/")
        part = EXTENSIONS if page.startswith(("add-a-", "plug-")) else TASKS
        parts[EXAMPLES if is_example else part].append(page)
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages from outside docs/."""
    from mkdocs.structure.files import File

    for readme, page in list_outside().items():
        text = lead_right(readme.read_text(encoding="utf-8"), readme, page)
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links that leave docs/ lead to pages, or be words."""
    uri = page.file.src_uri
    if uri in list_outside().values():
        return markdown
    return lead_right(markdown, DOCS / uri, uri)


def lead_right(text: str, source: Path, page: str) -> str:
    """Return the text of ``source`` with its links as the page ``page`` needs them."""
    outside = list_outside()

    def lead(link: re.Match[str]) -> str:
        picture, words, target, anchor = link.groups()
        path = Path(os.path.normpath(source.parent / target))
        if path.is_relative_to(DOCS):
            there = path.relative_to(DOCS).as_posix()
        elif path in outside:
            there = outside[path]
        elif path.exists():
            return words if words.startswith("`") else f"`{words}`"
        else:
            return link[0]
        start = (DOCS / page).parent
        to = Path(os.path.relpath(DOCS / there, start)).as_posix()
        return f"{picture}[{words}]({to}{anchor or ''})"

    return LINK.sub(lead, text)
