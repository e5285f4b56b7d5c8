"""Texts of a bundle: paths that mean something elsewhere, and what is in it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from apps.science.files import read_json
from campaign.layout.protein_dir import ProteinDir
from campaign.report.kit.sources import RunSource
from campaign.report.kit.top import list_left


@dataclass(frozen=True)
class Places:
    """What stands for a path in a bundle.

    Attributes
    ----------
    roots : the run folder, and where it was before it was moved; paths in it become
        relative to it
    inputs : by a path as it is written, or where it was, the copy in the bundle
    """

    roots: Sequence[Path]
    inputs: Mapping[str, str]

    def move(self, text: str) -> str:
        """Return a string as the bundle has it; the same where it is no path here."""
        for spelling in (text, str(Path(text)) if text else ""):
            if spelling in self.inputs:
                return self.inputs[spelling]
        for root in map(str, self.roots):
            if text == root:
                return "."
            text = text.replace(f"{root}/", "")
        return text


def list_roots(paths: ProteinDir) -> list[Path]:
    """Return the run folder and where it was when its models were trained."""
    found = [paths.root]
    configs = [
        (config, len(config.relative_to(paths.root).parents))
        for run in paths.each_learner()
        for config in sorted(run.model("any").parent.glob("*/config.yaml"))
    ]
    for config, depth in configs:
        try:
            asked = yaml.safe_load(config.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError):
            continue
        out = asked.get("out") if isinstance(asked, dict) else None
        if isinstance(out, str) and out.startswith("/"):
            found += [*Path(out, config.name).parents][depth - 1 : depth]
    return list(dict.fromkeys(root for root in found if root != Path("/")))


def rewrite_json(content: bytes, places: Places) -> bytes:
    """Return a JSON file with its paths moved; as it is where it has none."""
    try:
        found = json.loads(content)
    except ValueError:
        return content
    moved = _map_strings(found, _leave_home(places))
    if moved == found:
        return content
    return (json.dumps(moved, indent=1, ensure_ascii=False) + "\n").encode()


def _leave_home(places: Places) -> Callable[[str], str]:
    """Return what also cuts paths of the user's machine to the name of the file."""

    def move(text: str) -> str:
        moved = places.move(text)
        if not moved.startswith("/") or "\n" in moved or moved.count("/") < 2:
            return moved
        return moved.rpartition("/")[2]

    return move


def rewrite_yaml(content: bytes, places: Places) -> bytes:
    """Return a YAML file with its paths moved, and all else as it is written.

    Only the scalars that are paths are replaced, so that comments stay.
    """
    text = content.decode("utf-8")
    try:
        tree, found = yaml.compose(text), yaml.safe_load(text)
    except yaml.YAMLError:
        return content
    wanted = _map_strings(found, places.move)
    if wanted == found:
        return content
    for node in sorted(_list_scalars(tree), key=lambda n: -n.start_mark.index):
        moved = places.move(node.value)
        if moved != node.value:
            start, end = node.start_mark.index, node.end_mark.index
            text = text[:start] + json.dumps(moved, ensure_ascii=False) + text[end:]
    try:
        right = yaml.safe_load(text) == wanted
    except yaml.YAMLError:
        right = False
    if not right:  # an anchor, or text over several lines
        text = yaml.safe_dump(wanted, sort_keys=False, allow_unicode=True)
    return text.encode()


def _list_scalars(node: yaml.Node | None) -> list[yaml.ScalarNode]:
    """Return the scalars that are values, each once."""
    found: dict[int, yaml.ScalarNode] = {}
    to_see: list[Any] = [node]
    seen: set[int] = set()
    while to_see:
        one = to_see.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, yaml.ScalarNode):
            if one.tag == "tag:yaml.org,2002:str":
                found[id(one)] = one
        elif isinstance(one, yaml.MappingNode):
            to_see += [value for _, value in one.value]
        elif isinstance(one, yaml.SequenceNode):
            to_see += one.value
    return list(found.values())


def rewrite_text(content: bytes, places: Places) -> bytes:
    """Return a text with paths into the run folder cut to what is in the bundle."""
    for root in map(str, places.roots):
        content = content.replace(f"{root}/".encode(), b"")
        content = content.replace(root.encode(), b".")
    return content


def _map_strings(value: Any, move: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {key: _map_strings(inner, move) for key, inner in value.items()}
    if isinstance(value, list):
        return [_map_strings(inner, move) for inner in value]
    return move(value) if isinstance(value, str) else value


def describe(paths: ProteinDir, left_out: list[str]) -> str:
    """Return what is in a bundle, and how to run it again."""
    source = RunSource(paths)
    environment = read_json(paths.environment) or {}
    packages = environment.get("packages") or {}
    left = list_left(source)
    name = paths.name
    lines = [
        f"{name}: what a weft campaign was made of, and what came of it", "",
        "campaign.yaml       what was asked for; its input files are in inputs/",
        "resolved.yaml       the same with every default written out",
        "site.yaml           where it ran",
        "environment.json    hardware and versions",
        "system/, cg/        the molecule, its beads, force maps and prior",
        "models/             settings, losses and best checkpoint of each model",
        "benchmark/          every figure with interval and floor, and densities",
        "experiments/        tables, where several models were asked for",
        "report/             the page, methods.txt, figures with their numbers",
        "proteins/           the same of each, where there are several",
        "MANIFEST.sha256     SHA-256 of every file", "",
        "To check the files, in this folder:", "",
        "    sha256sum -c MANIFEST.sha256", "",
        f"To run it again (weft {packages.get('weft')}, versions as in "
        "environment.json), beside this folder:", "",
        f"    weft run {name}/campaign.yaml", "",
        f"with --site {name}/site.yaml for where it ran before. The same versions on "
        "the same kind of",
        f"processor give the same figures (seed {source.config.get('seed')}). With "
        "another version of weft, whose defaults",
        f"may differ, run {name}/resolved.yaml.",
    ]  # fmt: skip
    if left:
        lines += ["", f"The run was not finished: {', '.join(left)} were to come."]
    if left_out:
        lines += ["", "Too large to be in here; put these files there first:"]
        lines += [f"    {one}" for one in left_out]
    return "\n".join(lines) + "\n"
