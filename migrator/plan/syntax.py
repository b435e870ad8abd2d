"""What YAML's own complaint means for the author of a plan.

Decides words only; ``parse`` finds the place. Rule: the three that everybody meets - a line that is indented differently
from its neighbours, a tab, a character that has to be quoted - are said as what to do; all others as the parser says them.
"""

from __future__ import annotations

from ruamel.yaml.error import MarkedYAMLError


def in_words(fault: MarkedYAMLError, text: str) -> str:
    """One clause. ``text``: the whole document."""
    problem, context = str(fault.problem or ""), str(fault.context or "")
    mark = fault.problem_mark or fault.context_mark
    lines = text.splitlines()
    line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
    if "'\\t'" in problem:
        return "a tab stands here: YAML is indented and spaced with blanks"
    if "that cannot start any token" in problem and mark is not None:
        return f"a value that begins with {line[mark.column : mark.column + 1]} has to be put into quotes"
    if "scanning an alias" in context and "alphabetic" in problem and fault.context_mark is not None:
        return "a value that begins with * has to be put into quotes"
    is_block = "parsing a block" in context
    is_value = "mapping values are not allowed here" in problem and mark is not None
    if mark is not None and (is_block or (is_value and _begins_with(line, mark.column))):
        own, levels = _indent(line), _levels(lines, mark.line)
        if own not in levels:
            return (
                f"this line is indented by {own}, and those before it by {_listed(levels)}: lines of one part have one"
                " indentation"
            )
        if is_block:
            return "a key and an item of a list (-) cannot stand beside each other"
    if is_value:
        return "a colon stands where none can: put the value into quotes, or begin a line for the key"
    said = [" ".join(part.split()) for part in (context, problem) if part]
    return f"not YAML: {', '.join(said)}"


def _begins_with(line: str, column: int) -> bool:
    """Is the colon at ``column`` that of the line's first key?"""
    return ":" not in line[:column] and bool(line[:column].strip())


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _levels(lines: list[str], number: int) -> list[int]:
    """The indentations that are open above a line, outermost first."""
    levels: list[int] = []
    for line in reversed(lines[:number]):
        if line.strip() and not line.lstrip().startswith("#") and (not levels or _indent(line) < levels[-1]):
            levels.append(_indent(line))
        if levels and levels[-1] == 0:
            break
    return levels[::-1] or [0]


def _listed(levels: list[int]) -> str:
    words = [str(level) for level in levels]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
