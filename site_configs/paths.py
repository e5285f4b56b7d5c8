"""Whether a run may lie in a folder of this name: what no shell or scheduler can say.

Everything is quoted wherever a shell sees it. What is left are limits of others, and
those are said before anything is written.
"""

import re
import sys
from pathlib import Path

from site_configs.errors import SiteError
from site_configs.schema import Site

_CONTROL = re.compile("[\x00-\x1f\x7f]")
_PLAIN = re.compile(r"[A-Za-z0-9_./+@=,-]*")


def check_run_path(site: Site, root: Path) -> None:
    """Check that a run of ``site`` can lie in the folder ``root``, an absolute path.

    Raises
    ------
    SiteError
        If its name has something in it that the site's scheduler cannot be told.
    """
    name = str(root)
    found = _CONTROL.search(name)
    if found is not None:
        raise SiteError(
            f"The run folder {name!r} has a line break or another control character "
            "in its path. Rename that folder, or choose another with --runs."
        )
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise SiteError(
            f"The path of the run folder {name!a} is not UTF-8. Rename that "
            "folder, or choose another with --runs."
        ) from None
    locale = sys.getfilesystemencoding()
    if not name.isascii() and locale.lower() not in ("utf-8", "utf8"):
        raise SiteError(
            f"The run folder {name} has letters in its path that mean something else "
            f"on other hosts, since this terminal's locale is {locale}. Set "
            "LC_ALL=C.UTF-8, or choose another folder with --runs."
        )
    if site.python is not None:
        _check_plain(name, "A site in Python")
    for scheduler in sorted({e.scheduler for e in site.executors.values()}):
        if scheduler in ("pbspro", "lsf"):
            _check_plain(name, scheduler)
        found = re.search(r",|\$\w", name) if scheduler == "gridengine" else None
        if found is not None:
            raise SiteError(
                f"The run folder {name} has {found[0]} in its path, which Grid Engine "
                "takes for a list or a variable in the name of a job's output. Rename "
                "that folder, or choose another with --runs."
            )
        if scheduler == "slurm" and "%" in name and "\\" in name:
            raise SiteError(
                f"The run folder {name} has both % and \\ in its path, which Slurm "
                "cannot be told in the name of a job's output. Rename that folder, or "
                "choose another with --runs."
            )


def _check_plain(name: str, who: str) -> None:
    odd = sorted(set(_PLAIN.sub("", name)))
    if odd:
        raise SiteError(
            f"The run folder {name} has {' '.join(map(repr, odd))} in its path. "
            f"{who} takes letters, digits and _./+@=,- alone there. Rename that "
            "folder, or choose another with --runs."
        )
