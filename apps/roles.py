"""Executor labels that apps name and site files must offer."""

from typing import Final

MD: Final = "md"
TRAIN: Final = "train"
ANALYSIS: Final = "analysis"

ALL: Final = (MD, TRAIN, ANALYSIS)
