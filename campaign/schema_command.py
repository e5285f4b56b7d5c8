"""``weft schema``: the files by which an editor completes and checks what one types."""

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from apps.science.files import make_folder, write_text
from campaign.own_command import as_typed
from campaign.terminal import make_console

FOLDER: Final = ".weft"
"""Beside the files that an editor is to check; they name it relative to themselves."""
CAMPAIGN: Final = "campaign.schema.json"
SITE: Final = "site.schema.json"
MODELINE: Final = "# yaml-language-server: $schema="
"""What VS Code (with Red Hat's YAML) and other editors look for in a YAML file."""


def schema(
    folder: Annotated[
        Path, typer.Option("--out", help="Folder to write.", show_default=FOLDER)
    ] = Path(FOLDER),
) -> None:
    """Write JSON schemas, by which editors complete and check YAML files."""
    out = make_console(soft_wrap=True)
    written = write_schemas(folder)
    out.print(f"Wrote {' and '.join(as_typed(path) for path in written)}.")
    for what, path in zip(("campaign.yaml", "a site file"), written, strict=True):
        out.print(f"First line of {what}: {MODELINE}{path.as_posix()}")


def write_schemas(folder: Path) -> tuple[Path, Path]:
    """Write both schemas to ``folder``; return their paths.

    They are of this version of weft: write them again after an update, or where kinds
    have been added.
    """
    from campaign.schema import make_campaign_schema, make_site_schema

    make_folder(folder)
    campaign, site = (
        write_text(folder / name, json.dumps(make(), indent=1) + "\n")
        for name, make in ((CAMPAIGN, make_campaign_schema), (SITE, make_site_schema))
    )
    return campaign, site
