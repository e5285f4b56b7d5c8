"""The weft command, with the campaign types beside this file."""

from pathlib import Path

import campaign.types
from campaign.cli import main

if __name__ == "__main__":
    campaign.types.__path__.append(str(Path(__file__).with_name("types")))
    main()
