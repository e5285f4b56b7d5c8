"""Submit scripts are UTF-8 whatever the locale, as site files and run folders are."""

from pathlib import Path
from string import Template
from typing import Any


class Utf8Scripts:
    """What a provider of Parsl's for a batch system writes its scripts by."""

    def _write_submit_script(
        self, template: str, path: str, job_name: str, configs: dict[str, Any]
    ) -> None:
        text = Template(template).substitute(jobname=job_name, **configs)
        Path(path).write_text(text, encoding="utf-8")
