"""What the text of an executor's setting may be: a walltime, one word, shell words."""

import re
import shlex
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

# Options of Apptainer and Singularity that take the next word.
_TAKE_A_WORD = {
    "-B", "--bind", "--mount", "-H", "--home", "-W", "--workdir", "-S", "--scratch",
    "-o", "--overlay", "--pwd", "--cwd", "--env", "--env-file", "--app", "--network",
    "--security",
}  # fmt: skip


def _check_walltime(value: object) -> object:
    match = re.fullmatch(r"(\d{1,3}):([0-5]\d):([0-5]\d)", str(value))
    if match is None or not any(int(part) for part in match.groups()):
        raise ValueError(_describe_walltime(value))
    return value


def _describe_walltime(value: object) -> str:
    form = 'write hours:minutes:seconds in quotes, walltime: "04:00:00"'
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"is the number {value}, which could be minutes or seconds; {form}"
    if re.fullmatch(r"\d+:\d+", str(value)):
        return (
            f"is {value!r}, which could be hours and minutes or minutes and seconds; "
            f"{form}"
        )
    days = re.fullmatch(r"(\d+)-(\d+):(\d+:\d+)", str(value))
    if days is not None:
        hours = 24 * int(days[1]) + int(days[2])
        return f'is {value!r}; write hours in place of days, "{hours}:{days[3]}"'
    return f"is {value!r}; {form}"


def _check_one_word(value: str) -> str:
    if not value or re.search(r"[\s\x00-\x1f]", value):
        raise ValueError(f"is {value!r}; write one word, without blanks")
    return value


def _check_network_name(value: str) -> str:
    if re.fullmatch(r"[\w.:%@-]+", value, re.ASCII) is None:
        raise ValueError(f"is {value!r}; write one name or address")
    return value


def _check_select_options(value: str) -> str:
    if re.search(r"[\s+]", value) or "select=" in value:
        raise ValueError(
            f"is {value!r}; write resources of a node alone, parted by colons: "
            "mem=200gb:mpiprocs=4"
        )
    if re.search(r"(^|:)ncpus=", value):
        raise ValueError("has ncpus, which cores_per_node says")
    return value


def _check_shell_words(value: str) -> str:
    if "\n" in value.strip():
        raise ValueError("has several lines; write one")
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError(f"cannot be read by a shell: {error}") from None
    broken = _broken_path(words)
    if broken is not None:
        raise ValueError(
            f"would start the image {broken.split()[0]}: a blank ends a path. If "
            f"the image is {broken}, put it in single quotes, '{broken}'"
        )
    return value


def _broken_path(words: list[str]) -> str | None:
    """Return an image's path that a blank has broken in two, None if there is none."""
    for before, one, two in zip(words, words[1:], words[2:], strict=False):
        image = two.endswith((".sif", ".simg", ".sqsh")) and two[0] not in "/$~.-"
        if image and one.startswith(("/", "$", "~")) and before not in _TAKE_A_WORD:
            return f"{one} {two}"
    return None


def _check_variables(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) is None:
            raise ValueError(
                f"has {name!r}, which is no name of a variable: letters, digits and _"
            )
    return value


Walltime = Annotated[str, BeforeValidator(_check_walltime)]
"""HH:MM:SS, longer than nothing."""

OneWord = Annotated[str, AfterValidator(_check_one_word)]
NetworkName = Annotated[str, AfterValidator(_check_network_name)]

SelectOptions = Annotated[str, AfterValidator(_check_select_options)]
"""Resources in PBS Pro's select statement, beside those that weft writes."""

ShellWords = Annotated[str, AfterValidator(_check_shell_words)]
"""One line that a shell can read, with no path broken by a blank."""

Variables = Annotated[dict[str, str], AfterValidator(_check_variables)]
"""Values of environment variables by their names."""
