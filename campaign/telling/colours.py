"""Colours that what is done is told apart by, on pages and in the report."""

from typing import Final

APP_COLOURS: Final = (
    "#0072b2", "#00836a", "#d1670a", "#b0468c", "#e0a800", "#56b4e9", "#7b5ea7",
    "#8a6d00", "#c0392b", "#5f6b7a",
)  # fmt: skip
