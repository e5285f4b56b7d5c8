"""campaign.yaml and site files -> values, refusing what YAML would change in silence.

YAML lets the last of two equal keys win, reads 10:00 as 600, 0123 as 83, on as true,
and makes a gigabyte of nine lines of anchors. Here a key stands once, is text, and a
number is one that a person would read as such.
"""

import re
from pathlib import Path
from typing import Any, NoReturn

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from apps.science.errors import ConfigError

MOST_BYTES = 4_000_000
MOST_VALUES = 100_000
"""Values of a file with each anchor counted wherever it is used."""

_CORE = "tag:yaml.org,2002:"
_KINDS = ("str", "int", "float", "bool", "null", "map", "seq", "merge")
_TAGS = {f"{_CORE}{kind}" for kind in _KINDS}
_LEADING_ZERO = re.compile(r"[-+]?0[0-7_]+")
_LOOKS_BLANK = re.compile("[\u00a0\u2007\u202f\u3000]")
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")


def load_yaml(path: Path) -> Any:
    """Return what a YAML file says: mappings with keys of text, lists, plain values.

    Times of day and dates (10:00:00, 2026-01-31) stay text, as in YAML 1.2.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not one YAML document in UTF-8, has a key twice
        or one that is not text, a number with a leading zero, a tag, or anchors that
        hold themselves or unfold to more than 100,000 values.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder; give the YAML file in it.") from None
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path} cannot be read: {said}.") from None
    if len(raw) > MOST_BYTES:
        raise ConfigError(
            f"{path} is larger than {MOST_BYTES // 1_000_000} MB; that is no file of "
            "settings."
        )
    return parse_yaml(_decode(raw, path), path)


def parse_yaml(text: str, source: Path) -> Any:
    """Return what the text of a YAML file says; ``source`` names it in errors.

    Raises
    ------
    ConfigError
        As ``load_yaml``.
    """
    odd = _NO_TEXT.search(text)
    if odd is not None:
        line = text[: odd.start()].count("\n") + 1
        raise ConfigError(
            f"{source} holds in line {line} the character U+{ord(odd[0]):04X}, which "
            "is not text."
        )
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _Walk(source).count(node)
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        said = f"{_words(error)}.{_hint(text)}"
        raise ConfigError(f"{source} is not valid YAML: {said}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{source} is not valid YAML: {error}.") from None
    except RecursionError:
        raise ConfigError(f"{source} is nested too deep to be read.") from None
    finally:
        loader.dispose()


def _decode(raw: bytes, path: Path) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise ConfigError(f"{path} is UTF-16. Save it as UTF-8.") from None
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{path} is not UTF-8: line {line} holds the byte "
            f"0x{raw[error.start]:02x}. Save it as UTF-8."
        ) from None


class _Loader(yaml.SafeLoader):
    """Resolves plain words as YAML 1.2 does where 1.1 surprises people."""

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, KeyError, OverflowError) as error:  # !!int x, 5000 digits
            raise yaml.constructor.ConstructorError(
                None, None, f"a value that cannot be read ({error})", node.start_mark
            ) from None


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in rules
        if tag.removeprefix(_CORE) not in ("timestamp", "value", "int", "float")
    ]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
# those of YAML 1.1 without numbers to the base of 60
_Loader.add_implicit_resolver(
    f"{_CORE}float",
    re.compile(
        r"(?:[-+]?[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?$"
        r"|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
    ),
    list("-+0123456789."),
)
_Loader.add_implicit_resolver(
    f"{_CORE}int",
    re.compile(
        r"[-+]?0b[0-1_]+$|[-+]?0[0-7_]+$|[-+]?(?:0|[1-9][0-9_]*)$"
        r"|[-+]?0x[0-9a-fA-F_]+$"
    ),
    list("-+0123456789"),
)


class _Walk:
    """One look at all of a file before anything is made of it."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self.sizes: dict[int, int | None] = {}  # None while a node is looked at

    def count(self, node: Node) -> int:
        """Return how many values a node holds, anchors unfolded."""
        known = self.sizes.get(id(node), 0)
        if known is None:
            self.refuse(node, "an anchor that holds itself")
        if known:
            return known
        self.sizes[id(node)] = None
        if node.tag not in _TAGS:
            tag = node.tag.replace(_CORE, "!!")
            self.refuse(node, f"the tag {tag}; tags have no meaning here, so remove it")
        size = 1
        if isinstance(node, ScalarNode):
            self.check_scalar(node)
        elif isinstance(node, SequenceNode):
            size += sum(self.count(item) for item in node.value)
        elif isinstance(node, MappingNode):
            self.check_keys(node)
            size += sum(self.count(part) for pair in node.value for part in pair)
        if size > MOST_VALUES:
            self.refuse(
                node, f"anchors that unfold to more than {MOST_VALUES:,} values"
            )
        self.sizes[id(node)] = size
        return size

    def check_scalar(self, node: ScalarNode) -> None:
        """Refuse a number with a leading zero, and text that no file can hold."""
        word = str(node.value)
        if node.tag == f"{_CORE}int" and _LEADING_ZERO.fullmatch(word):
            plain = word.replace("_", "").lstrip("+-0") or "0"
            self.refuse(
                node,
                f"the value {word}, which YAML reads as a number to the base of 8. Put "
                f'it in quotes if it is text, "{word}"; else write {plain}',
            )
        found = _NO_TEXT.search(word)
        if found is not None:
            self.refuse(node, f"the character U+{ord(found[0]):04X}, which is not text")

    def check_keys(self, node: MappingNode) -> None:
        """Refuse keys that are not text, and such that stand twice."""
        lines: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.tag not in (f"{_CORE}str", f"{_CORE}merge"):
                self.refuse(key, _describe_key(key))
            word = str(key.value)
            if word in lines:
                first = lines[word]
                where = f"in line {line}, twice" if first == line else (
                    f"in line {first} and again in line {line}"
                )  # fmt: skip
                raise ConfigError(
                    f"{self.source} has the key {word!r} {where}. YAML would keep the "
                    "last alone; remove one of them."
                )
            lines[word] = line

    def refuse(self, node: Node, what: str) -> NoReturn:
        """Raise for something in the line of ``node``."""
        line = node.start_mark.line + 1
        raise ConfigError(f"{self.source} has in line {line} {what}.")


def _describe_key(key: Node) -> str:
    kind = key.tag.removeprefix(_CORE)
    if not isinstance(key, ScalarNode):
        return "a list or a mapping as a key; a key is a word"
    if kind == "null":
        return "no key before the colon"
    reads = {"bool": "true or false", "int": "a number", "float": "a number"}
    return (
        f"the key {key.value}, which YAML reads as {reads.get(kind, kind)}. A key is "
        f'text; put it in quotes, "{key.value}", if it is meant'
    )


def _words(error: yaml.MarkedYAMLError) -> str:
    """Return what PyYAML says in one line, with the place."""
    problem = error.problem or error.context or "it cannot be read"
    if problem == "but found another document":
        problem = "a second document begins, after a line of ---; expected one"
    if "'\\t' that cannot start any token" in problem:
        problem = "a tab stands where YAML wants blanks"
    mark = error.problem_mark or error.context_mark
    where = (
        "" if mark is None else f", in line {mark.line + 1}, column {mark.column + 1}"
    )
    return f"{problem}{where}"


def _hint(text: str) -> str:
    for number, line in enumerate(text.splitlines(), 1):
        if _LOOKS_BLANK.search(line.partition("#")[0]):
            return f" Line {number} holds a no-break space, which is not a blank."
    return ""
