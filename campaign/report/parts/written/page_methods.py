"""The end of the page: the methods section, to be copied into a manuscript."""

from pathlib import Path

from apps.science.files import write_text
from campaign.report.kit.blocks import Copied, Note, Section
from campaign.report.kit.canvas import Canvas
from campaign.report.parts.learnt_source import LearntSource
from campaign.report.parts.written.methods import write_methods

METHODS_TXT = "methods.txt"


def methods(source: LearntSource, canvas: Canvas) -> Section:
    """Show the methods, and keep them as text beside the page."""
    section = Section(
        "methods",
        "Methods",
        "How would a manuscript describe this run, and what would it cite?",
    )
    found = write_methods(source)
    if found is None:
        text = "The run does not say yet what was asked for."
        section.blocks.append(Note(text, "missing"))
        return section
    write_text(source.paths.report.parent / METHODS_TXT, found.as_text())
    script = Path(__file__).with_name("copy_button.js").read_text(encoding="utf-8")
    section.blocks.append(Copied(found.paragraphs, found.references, script))
    return section
