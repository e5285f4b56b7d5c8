"""Densities."""
from campaign.report.blocks import Section
from campaign.report.canvas import Canvas
from campaign.report.sources import RunSource
def densities(source: RunSource, canvas: Canvas) -> Section:
    """Draw."""
    return Section("densities", "Densities and maps", "q")
