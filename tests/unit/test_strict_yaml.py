"""What campaign.yaml and site files may say, and what YAML would change in silence."""

import datetime
from pathlib import Path

import pytest

from apps.science.errors import ConfigError
from apps.science.strict_yaml import load_yaml, parse_yaml

HERE = Path("a.yaml")


def test_plain_values_are_what_they_look_like() -> None:
    text = (
        "a: 1\nb: 1.5\nc: 1e-3\nd: yes\ne: ~\nf: [1, x]\ng: 10:00:00\nh: 4:00\n"
        "i: 2026-01-31\nj: =\nk: 0x1F\nl: -2\nm: .5\nn: 1_000\no: 1:30.5\np: '0123'\n"
        "q: 0\nr: 0.5\ns: -.inf\n"
    )
    assert parse_yaml(text, HERE) == {
        "a": 1, "b": 1.5, "c": "1e-3", "d": True, "e": None, "f": [1, "x"],
        "g": "10:00:00", "h": "4:00", "i": "2026-01-31", "j": "=", "k": 31, "l": -2,
        "m": 0.5, "n": 1000, "o": "1:30.5", "p": "0123", "q": 0, "r": 0.5,
        "s": float("-inf"),
    }  # fmt: skip
    assert not isinstance(parse_yaml("2026-01-31", HERE), datetime.date)


def test_an_anchor_may_be_used_and_merged() -> None:
    text = "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: *x\n"
    made = parse_yaml(text, HERE)
    assert made == {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}, "c": made["a"]}


def test_an_empty_file_is_none() -> None:
    assert parse_yaml("", HERE) is None
    assert parse_yaml("# nothing\n", HERE) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "the key 'a' in line 1 and again in line 3"),
        ("x:\n  y: {p: 1, 'p': 2}\n", "the key 'p' in line 2, twice"),
        ("- a: 1\n  a: 2\n", "the key 'a' in line 1 and again in line 2"),
        ("a: &x {b: 1}\nc: {<<: *x, <<: *x}\n", "the key '<<' in line 2, twice"),
        ("on: 1\n", "the key on, which YAML reads as true or false"),
        ("a:\n  1: x\n", "line 2 the key 1, which YAML reads as a number"),
        ("? [a, b]\n: 1\n", "a list or a mapping as a key"),
        ("~: 1\n", "no key before the colon"),
        ("a: 0123\n", 'Put it in quotes if it is text, "0123"; else write 123'),
        ("a: 00\n", 'if it is text, "00"; else write 0'),
        ("a: !!python/object/apply:os.system [true]\n", "the tag !!python/object"),
        ("a: !mine 3\n", "the tag !mine"),
        ("a: !!int xyz\n", "a value that cannot be read"),
        ("a: !!bool xyz\n", "a value that cannot be read"),
        ("a: " + "9" * 5000 + "\n", "a value that cannot be read"),
        ("a: &x [*x]\n", "line 1 an anchor that holds itself"),
        ("a: &x {<<: *x}\n", "an anchor that holds itself"),
        ("a: 1\n---\na: 2\n", "a second document begins"),
        ("a:\n\tb: 1\n", "a tab stands where YAML wants blanks, in line 2"),
        ('a: "\\0"\n', "the character U+0000"),
        ('a: "\\ud800"\n', "the character U+D800"),
        ('a: "\\e[31m"\n', "the character U+001B"),
        ("b: 1\na: 1\x07\n", "line 2 the character U+0007"),
        ("[" * 20_000, "nested too deep"),
        ("a: {b\nc: 1", "is not valid YAML"),
        ("a: 1\nb\u00a0: 2\nc d\n", "Line 2 holds a no-break space"),
        ("a: *nobody\n", "undefined alias"),
    ],
)
def test_what_would_surprise_is_refused_in_one_sentence(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"a\.yaml") as error:
        parse_yaml(text, HERE)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("merge", [False, True])
def test_anchors_that_unfold_to_a_gigabyte_are_refused_at_once(merge: bool) -> None:
    lines = ["a0: &a0 {x: 1, y: 2}"]
    for n in range(1, 30):
        many = ", ".join(f"*a{n - 1}" for _ in range(9))
        lines.append(f"a{n}: &a{n} " + (f"{{<<: [{many}]}}" if merge else f"[{many}]"))
    with pytest.raises(ConfigError, match="unfold to more than"):
        parse_yaml("\n".join(lines), HERE)


def test_a_file_is_read_as_utf8_whatever_the_locale(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes("\ufeffname: protéine\n".encode())
    assert load_yaml(path) == {"name": "protéine"}
    path.write_bytes("a: 1\nname: Zoë\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="line 2 holds the byte 0xeb"):
        load_yaml(path)
    path.write_bytes("a: 1\n".encode("utf-16"))
    with pytest.raises(ConfigError, match="is UTF-16"):
        load_yaml(path)


def test_what_is_no_file_of_settings_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        load_yaml(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_yaml(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="larger than 4 MB"):
        load_yaml(Path("/dev/zero"))
