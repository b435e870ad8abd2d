"""Hostile, broken and merely odd files: one plain sentence each, quickly, and nothing constructed but plain values."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrator.errors import PlanError
from migrator.plan import load, loads
from migrator.plan.parse import MAX_DEPTH, MAX_TEXT_BYTES, parse
from tests.unit.plan.samples import SMALL, faults_of, place


def _refusal(path: Path) -> PlanError:
    with pytest.raises(PlanError) as caught:
        load(path)
    return caught.value


def _values(text: str) -> object:
    return parse(text, "plan.yaml")[0].value()


FILES = [
    ("an empty file", b"", "it is empty"),
    ("only a comment", b"# a plan\n", "it is empty"),
    ("only a null", b"---\n~\n", "it is empty"),
    ("binary", bytes(range(256)) * 8, "it is not text in UTF-8"),
    ("UTF-16", SMALL.encode("utf-16"), "it is not text in UTF-8"),
    ("zeros", b"\0" * 100, "it is not text in UTF-8"),
    ("too large", b"a" * (MAX_TEXT_BYTES + 1), "it is larger than 1,024 KiB"),
]


@pytest.mark.parametrize(("raw", "says"), [pytest.param(*row[1:], id=row[0]) for row in FILES])
def test_a_file_that_is_no_plan_is_refused_in_one_sentence(tmp_path: Path, raw: bytes, says: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_bytes(raw)
    refusal = _refusal(path)
    assert refusal.message == f"cannot read plan {path}: {says}"
    assert refusal.faults == ()


def test_a_missing_file_and_a_directory_say_so(tmp_path: Path) -> None:
    assert _refusal(tmp_path / "no.yaml").message == f"cannot read plan {tmp_path}/no.yaml: there is no such file"
    assert "`migrate init`" in _refusal(tmp_path / "no.yaml").hint
    assert _refusal(tmp_path).message == f"cannot read plan {tmp_path}: it is a directory"
    assert _refusal(Path("/dev/zero")).message == "cannot read plan /dev/zero: it is not an ordinary file"
    assert "name cannot be a file's" in _refusal(Path("a\0b")).message
    assert "not a directory" in _refusal(Path("/dev/null/plan.yaml")).message
    assert "file name too long" in _refusal(tmp_path / ("x" * 300)).message


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert load(path).schedule == loads(SMALL, "plan.yaml").schedule


SYNTAX = [
    ("a tab", "version: 1\n\tname: x\n", "plan.yaml:2:1", "a tab stands here"),
    ("an open bracket", "version: 1\nname: [1, 2\n", "plan.yaml:3:1", "expected ',' or ']'"),
    (
        "a wrong indent",
        "accounts:\n  a: {x: 1}\n b: 2\n",
        "plan.yaml:3:2",
        "indented by 1, and those before it by 0 or 2",
    ),
    ("an unknown alias", "name: *nobody\n", "plan.yaml:1:7", "*nobody stands for nothing"),
    ("an alias of itself", "name: &a [*a]\n", "plan.yaml:1:11", "*a stands for nothing"),
    ("a control character", "version: 1\nname: \x01\n", "plan.yaml:2:7", "a character that YAML does not allow"),
    ("a tag", "name: !!python/object/apply:os.system [ls]\n", "plan.yaml:1:7", "a plan has no YAML tags"),
    ("a harmless tag", "name: !!str 5\n", "plan.yaml:1:7", "a plan has no YAML tags"),
    ("two documents", "version: 1\n---\nversion: 1\n", "plan.yaml:2:1", "here a second one begins"),
    ("old YAML", "%YAML 1.1\n---\nversion: 1\n", "plan.yaml:2:1", "YAML 1.2"),
    ("a list", "- version\n", "plan.yaml:1:1", "a plan is a mapping of keys"),
    ("a word", "version\n", "plan.yaml:1:1", "a plan is a mapping of keys"),
    ("deep lists", "name: " + "[" * 5000 + "]" * 5000, f"plan.yaml:1:{6 + MAX_DEPTH}", "more than 24 levels"),
    (
        "deep blocks",
        "\n".join(" " * n + "a:" for n in range(200)),
        f"plan.yaml:{MAX_DEPTH + 1}:{MAX_DEPTH + 1}",
        "24 levels",
    ),
    ("many parts", "a: [" + "x," * 110_000 + "]", "plan.yaml:1:", "more than 100,000 keys and values"),
]


@pytest.mark.parametrize(("text", "where", "says"), [pytest.param(*row[1:], id=row[0]) for row in SYNTAX])
def test_a_syntax_error_is_reported_alone_with_its_place(text: str, where: str, says: str) -> None:
    faults = faults_of(text)
    assert len(faults) == 1
    assert faults[0].startswith(where), faults
    assert says in faults[0]


def _bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


def test_a_bomb_of_aliases_is_refused_before_it_is_expanded() -> None:
    """Nine to the twelfth strings would be written in thirteen lines."""
    faults = faults_of(_bomb(12))
    assert len(faults) == 1
    assert "more than 100,000 keys and values, aliases expanded" in faults[0]
    assert faults[0].startswith("plan.yaml:6:")


def test_a_ladder_of_aliases_is_refused_by_its_depth() -> None:
    text = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 100))
    assert "more than 24 levels" in faults_of(text)[0]


def test_an_alias_stands_for_its_part() -> None:
    """A part that is used twice is written once, and its faults point at where it is written."""
    text = SMALL.replace("gates: [calm]\n  - name: second", "gates: &g [calm]\n  - name: second")
    text = text.replace("gates: [calm]\n  - name: third", "gates: *g\n  - name: third")
    assert [len(wave.gates) for wave in loads(text, "plan.yaml").schedule.waves] == [1, 1, 0]
    wrong = text.replace("&g [calm]", "&g [clam]")
    assert set(faults_of(wrong)) == {f"{place(wrong, 'clam')}: there is no gate clam; did you mean calm?"}


def test_values_are_those_of_yaml_1_2() -> None:
    text = """
    words: [no, on, yes, off, Yes, 02:00, 1:30, 2026-12-01, 1_000, "5", '', 0b1, +, ., 0x1F]
    truths: [true, False]
    nothing: [~, null, ]
    numbers: [5, -3, +7, 0.5, 1e3, .5]
    block: |
      a
      b
    """
    assert _values(text) == {
        "words": [
            "no",
            "on",
            "yes",
            "off",
            "Yes",
            "02:00",
            "1:30",
            "2026-12-01",
            "1_000",
            "5",
            "",
            "0b1",
            "+",
            ".",
            "0x1F",
        ],
        "truths": [True, False],
        "nothing": [None, None],
        "numbers": [5, -3, 7, 0.5, 1000.0, 0.5],
        "block": "a\nb\n",
    }


def test_a_number_of_thousands_of_digits_stays_a_word() -> None:
    assert _values("a: " + "9" * 9000) == {"a": "9" * 9000}
