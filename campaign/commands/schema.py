"""``weft schema``: the files by which an editor completes and checks what one types."""

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from apps.science.errors import ConfigError
from apps.science.files import make_folder, write_text
from campaign.telling.own_command import as_typed
from campaign.telling.terminal import make_console

FOLDER: Final = ".weft"
"""Beside the files that an editor is to check; they name it relative to themselves."""
CAMPAIGN: Final = "campaign.schema.json"
SITE: Final = "site.schema.json"
MODELINE: Final = "# yaml-language-server: $schema="
"""What VS Code (with Red Hat's YAML) and other editors look for in a YAML file."""


def schema(
    campaign: Annotated[
        Path | None,
        typer.Argument(help="A campaign.yaml whose plug-ins are described as well."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder to write.", show_default=f"{FOLDER} beside it"
        ),
    ] = None,
) -> None:
    """Write JSON schemas, by which editors complete and check YAML files."""
    from campaign.opening.outside_code import use_code_for

    out = make_console(soft_wrap=True)
    if campaign is not None:
        if not campaign.is_file():
            raise ConfigError(
                f"There is no file {campaign}. Name a campaign.yaml whose plug-ins are "
                "to be described, or none."
            )
        for sentence in use_code_for(campaign):
            out.print(sentence)
    above = Path() if campaign is None else campaign.parent
    written = write_schemas(above / FOLDER if folder is None else folder)
    out.print(f"Wrote {' and '.join(as_typed(path) for path in written)}.")
    for what, path in zip(("campaign.yaml", "a site file"), written, strict=True):
        seen = path.relative_to(above) if path.is_relative_to(above) else path
        out.print(f"First line of {what}: {MODELINE}{seen.as_posix()}")


def write_schemas(folder: Path) -> tuple[Path, Path]:
    """Write both schemas to ``folder``; return their paths.

    They are of this version of weft: write them again after an update, or where kinds
    have been added.
    """
    from campaign.commands.json_schema import make_campaign_schema, make_site_schema

    make_folder(folder)
    campaign, site = (
        write_text(folder / name, json.dumps(make(), indent=1) + "\n")
        for name, make in ((CAMPAIGN, make_campaign_schema), (SITE, make_site_schema))
    )
    return campaign, site
