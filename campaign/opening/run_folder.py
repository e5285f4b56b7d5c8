"""Whether a run folder can be worked in: said in a sentence before anything begins."""

import errno
import os
from pathlib import Path

from apps.science.disk import name_file_system
from apps.science.errors import ConfigError

_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}
_NOT_OURS = {errno.EACCES, errno.EPERM, errno.EROFS}
_OWN_RIGHTS = 0o700


def check_is_run(run_dir: Path, *needed: Path) -> None:
    """Refuse what is no run folder.

    Parameters
    ----------
    run_dir : as it was given
    needed : files that a run folder has, each to be there

    Raises
    ------
    ConfigError
        If one of them is not.
    """
    missing = [path.name for path in needed if not path.exists()]
    if missing:
        raise ConfigError(
            f"{run_dir} is not a run folder: it has no {' and no '.join(missing)}. "
            "Give the folder that `weft run` named, such as runs/<name>."
        )


def check_umask() -> None:
    """Refuse a umask under which nobody could read what he writes.

    Raises
    ------
    ConfigError
    """
    mask = os.umask(0o077)
    os.umask(mask)
    if mask & _OWN_RIGHTS:
        raise ConfigError(
            f"The umask is {mask:04o}: it takes your own rights from every file and "
            "folder that is made, so that a run could not read what it wrote. Set one "
            "that leaves them, such as: umask 022"
        )


def explain_lock_error(error: OSError, root: Path) -> ConfigError | None:
    """Return why a run folder cannot be locked; None where it is not the folder's."""
    if error.errno in _NO_LOCKS:
        return ConfigError(
            f"The file system of {root} ({name_file_system(root)}) keeps no file locks "
            f"({os.strerror(error.errno or 0)}), so that two drivers could work on one "
            "run. Put run folders on another one, with --runs, or mount it with locks."
        )
    if error.errno in _NOT_OURS:
        return ConfigError(
            f"The run folder {root} cannot be written "
            f"({os.strerror(error.errno or 0)}; {name_file_system(root)}). Make "
            "it writable, or copy it to where you may write and resume the copy."
        )
    return None
