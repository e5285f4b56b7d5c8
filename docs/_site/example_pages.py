"""The READMEs of examples/ and benchmarks/ as pages of the site; a hook of mkdocs."""

import re
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]


def on_files(files: Any, config: Any) -> Any:
    """Add a page for each README beside the documents."""
    from mkdocs.structure.files import File

    for readme in sorted(REPOSITORY.glob("examples/*/README.md")):
        text = readme.read_text(encoding="utf-8").replace("](../../docs/", "](../")
        text = re.sub(r"\]\(\.\./(\w+)/README\.md", r"](\1.md", text)
        page = f"examples/{readme.parent.name}.md"
        files.append(File.generated(config, page, content=text))
    text = (REPOSITORY / "benchmarks" / "README.md").read_text(encoding="utf-8")
    text = text.replace("](../docs/", "](").replace("[results](results)", "`results/`")
    files.append(File.generated(config, "benchmarks.md", content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Let the documents' links to those READMEs lead to their pages."""
    markdown = re.sub(
        r"\]\(\.\./examples/(\w+)/README\.md", r"](examples/\1.md", markdown
    )
    return markdown.replace("](../benchmarks/README.md", "](benchmarks.md")
