"""Site files: the shipped ones by name, anyone's own by path."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import yaml
from pydantic import ValidationError

from apps.science import plugins
from apps.science.errors import ConfigError
from apps.science.strict_yaml import load_yaml
from site_configs.errors import SiteError
from site_configs.mistakes import explain_mistakes, refuse_empty
from site_configs.python_site import check_python_site
from site_configs.schema import Site

_SITES = "site_configs"


def list_sites() -> list[tuple[str, str]]:
    """Return name and description of every site that has a name, local first."""
    sites = [load_site(name) for name in plugins.list_kinds(_SITES)]
    sites.sort(key=lambda site: (site.name != "local", site.name))
    return [(site.name, site.description) for site in sites]


def site_path(name_or_path: str | Path) -> Path:
    """Return the file of a site that has a name, or the path of one's own.

    Names are those of shipped sites, of installed packages, and of the ``sites`` of a
    folder of plug-ins in use.

    Raises
    ------
    SiteError
        If neither exists; the message lists the sites that do.
    """
    names = plugins.list_kinds(_SITES)
    if str(name_or_path) in names:
        return plugins.find_file(_SITES, str(name_or_path))
    path = Path(name_or_path)
    if path.is_file():
        return path.resolve()
    raise SiteError(
        f"There is no site {str(name_or_path)!r}. Sites: {', '.join(names)}; "
        "or give the path of a YAML or Python file of your own."
    )


def copy_site(name_or_path: str | Path, to: Path) -> None:
    """Copy a site file to ``to``, a .yaml; a Python file goes beside it.

    The copy means what the original meant, also after that was changed or moved.
    """
    path = site_path(name_or_path)
    python = path if path.suffix == ".py" else load_site(path).python
    if python is None:
        shutil.copyfile(path, to)
        return
    beside = to.with_suffix(".py")
    shutil.copyfile(python, beside)
    name = {"name": load_site(path).name, "python": beside.name}
    to.write_text(yaml.safe_dump(name, sort_keys=False), encoding="utf-8")


def load_site(name_or_path: str | Path) -> Site:
    """Read a site by name or path.

    Raises
    ------
    SiteError
        If it does not exist, is not YAML, or breaks a rule of the schema.
    """
    path = site_path(name_or_path)
    if path.suffix == ".py":
        check_python_site(path)
        return Site(name=path.stem, description="a Python file", python=path)
    try:
        raw = load_yaml(path)
    except ConfigError as error:
        raise SiteError(str(error)) from None
    if not isinstance(raw, dict):
        raise SiteError(f"{path} must be a mapping with the key executors.")
    refuse_empty(raw, path)
    try:
        site = Site.model_validate({"name": path.stem, **raw})
    except ValidationError as error:
        lines = "\n".join(f"  {line}" for line in explain_mistakes(error))
        raise SiteError(f"{path} is not a valid site file:\n{lines}") from None
    if site.python is None:
        return site
    python = (path.parent / site.python).resolve()
    if not python.is_file():
        raise SiteError(f"{path} names the Python file {python}, which is not there.")
    check_python_site(python)
    return site.model_copy(update={"python": python})


def check_roles(site: Site, roles: Iterable[str]) -> None:
    """Check that ``site`` serves every role of a campaign.

    Raises
    ------
    SiteError
        If a role has no executor.
    """
    missing = [role for role in roles if site.executor_of(role) is None]
    if missing:
        raise SiteError(
            f"Site {site.name!r} has no executor for {_listed(missing)}. "
            f"Its roles are {_listed(site.roles)}; under roles, map the missing ones "
            f"to one of its executors ({', '.join(site.executors)})."
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
