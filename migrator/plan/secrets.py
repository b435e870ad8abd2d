"""No secret in a plan, and none in a fault about it.

Decides what looks like a secret: by its shape in every scalar, by the name of its key, by the option it follows in a list of
words, as it stands and with percent signs or base64 read. Rule: where one is written, that is the only fault of its place, and
its text is never repeated. A comment is no part of the plan that is kept (``canonical``), so a secret there is only warned of.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import unquote_plus

from migrator.model.values import replace
from migrator.plan.tree import Fault, Items, Mark, Path, Scalar, Table, Tree

_REFERENCE: Final = r"(?!\$|env:|file:/|%[A-Za-z_]+%|<|\.\.\.|['\"]?(?:[&;\s]|$))"
"""What follows is the secret itself, and no reference to it, and not nothing."""
_NAMES: Final = (
    r"(?:ssl|db|odbc)?(?:password|passwd|passphrase|pwd)|(?:client|app|shared)?[-_]?secret(?:[-_]?(?:key|value))?"
    r"|(?:auth|access|refresh|bearer|api|sas|id|session|security|private|oauth)?[-_]?token"
    r"|(?:api|access|account|shared[-_]?access|subscription|functions?|private|storage|master|primary)[-_]?key"
    r"|connection[-_]?string|sas"
)
SECRET: Final = re.compile(
    "|".join(
        (
            r"(?:Account|SharedAccess|Access)Key=",
            r"SharedAccessSignature",
            r"(?:^|[?&;'\"\s])sig=",
            r"[;?&]\s*Secret=",
            r"[A-Za-z0-9+/]{86}==",
            r"odbc_connect=",
            rf"(?:^|[?&;'\"\s]|--?)(?:{_NAMES})={_REFERENCE}",
            rf"\bauthorization['\"]?\s*[:=]\s*{_REFERENCE}\S",
            rf"\b(?:x-)?(?:api|functions|auth|access|ms-blob)-?(?:key|token)['\"]?\s*:\s*{_REFERENCE}\S",
            rf"-(?:key|token|secret)['\"]?\s{{0,3}}:\s{{0,3}}{_REFERENCE}\S{{8,}}|\bcookie['\"]?\s{{0,3}}:\s{{0,3}}{_REFERENCE}\S",
            rf"(?:^|[{{,;'\"\s])(?:{_NAMES})(?:['\"]\s{{0,3}}:\s{{0,3}}|:\s{{1,3}}){_REFERENCE}\S",
            rf"(?:^|\s)--(?:{_NAMES})\s{{1,3}}{_REFERENCE}[^\s-]|(?:^|\s)(?:-u|--(?:proxy-)?user)\s{{1,3}}[^\s:$]+:{_REFERENCE}\S",
            rf"\b(?:bearer|basic)\s+{_REFERENCE}[A-Za-z0-9._~+/-]{{8,}}",
            r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
            r"\bgh[pousr]_[A-Za-z0-9]{16,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\bnpm_[A-Za-z0-9]{30,}",
            r"\bxox[a-z]-[A-Za-z0-9-]{8,}|\bxapp-[A-Za-z0-9-]{8,}|hooks\.slack\.com/services/\w",
            r"\bA(?:KIA|SIA)[0-9A-Z]{16}\b|\bAIza[\w-]{30,}|\bhvs\.[\w-]{16,}|\bsk-[A-Za-z0-9_-]{20,}",
            r"\b[\w~.-]{3}[0-9]Q~[\w~.-]{30,}",
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY",
            rf"\b[a-z][a-z0-9+.-]{{0,30}}://[^/\s:@?#]*:{_REFERENCE}[^/\s@]+@",
        )
    ),
    re.IGNORECASE,
)
"""Connection strings, SAS, keys and passwords beside their names, headers, tokens of well-known services, private keys,
passwords in addresses, and the 88 characters of an account key."""
_BASE64: Final = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{12,}(?![A-Za-z0-9+/_-])")
_LOGIN: Final = re.compile(rf"(?!env:)[\w.@+-]{{1,64}}:{_REFERENCE}(?!//|[0-9]+(?:[/: ]|$))[!-~][ -~]{{2,}}", re.ASCII)
"""``user:password``, as it is encoded for a Basic header: no address, no host with a port, no time of day."""
_KEY_BYTES: Final = 64
"""Of an account key; written without its padding, or in the alphabet for addresses, it has no shape but its length."""
_KEY: Final = re.compile(_NAMES, re.IGNORECASE)
_OPTION: Final = re.compile(rf"--?(?:{_NAMES})", re.IGNORECASE)
_USER_OPTION: Final = re.compile(r"-u|--(?:proxy-)?user")
_REFERRED: Final = re.compile(
    r"default|cli|(?:managed|workload)-identity(?::[\w-]*)?|client-(?:secret|certificate)(?::\w*)?|env:\w*|\$\{?\w+\}?|-.*|",
    re.DOTALL,
)
_LAYERS: Final = 5
"""So often may a secret have been encoded, one way over the other."""
_FROM_URLS: Final = str.maketrans("-_", "+/")
_TEXT: Final = "a secret is written here: put it into an environment variable and name that, credential: env:NAME"
_UNSHOWN: Final = "this is not allowed here; why is not shown, because it would repeat what looks like a secret"
_IN_STATE: Final = "a password is written here: name it, ?password=env:NAME or file:PATH"
_IN_COMMENT: Final = (
    "a comment of this line holds what looks like a secret: it is not kept with the plan, but the file has it"
)


def has_secret(text: str) -> bool:
    """Does this text, as it stands or with its percent signs or base64 read, again and again, hold what looks like a secret?"""
    for _ in range(_LAYERS):
        if SECRET.search(text) or _is_encoded(text, _LAYERS):
            return True
        plain = unquote_plus(text) if "%" in text else text
        if plain == text:
            return False
        text = plain
    return False


def _is_encoded(text: str, layers: int) -> bool:
    """Is a word of it, or a part of a path, base64 of a secret?"""
    words = {word for found in _BASE64.finditer(text) for word in (found.group(), *found.group().split("/"))}
    return layers > 0 and any(_hides_secret(word, layers) for word in words)


def _hides_secret(word: str, layers: int) -> bool:
    """Is this an account key, or base64 of a text with a secret?"""
    try:
        raw = b64decode(word.translate(_FROM_URLS) + "=" * (-len(word) % 4))
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        return len(raw) == _KEY_BYTES and _is_random(word)
    except ValueError:
        return False
    is_text = all(char.isprintable() or char.isspace() for char in text)
    return is_text and (
        SECRET.search(unquote_plus(text)) is not None
        or _LOGIN.fullmatch(text) is not None
        or _is_encoded(text, layers - 1)
    )


def _is_random(word: str) -> bool:
    """Of bytes that are no text: not a path or a name of that length, which have few characters of one of these kinds."""
    kinds = (str.isupper, str.islower, str.isdigit)
    return all(sum(map(kind, word)) >= 5 for kind in kinds) and len(set(word)) >= 30


def hide_secrets(tree: Tree, faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """``faults`` with one for each place where a secret is written instead of those there; one elsewhere whose words could repeat
    a secret stays a fault, in other words: a plan must never become valid because of what its fault would show."""
    keys = {path for path, _, _ in tree.walk() if path and isinstance(path[-1], str) and has_secret(path[-1])}
    values: set[Path] = {path for path, text in tree.texts() if has_secret(text)}
    values |= set(_named(tree))
    kept = [
        replace(fault, text=_UNSHOWN) if has_secret(fault.text) else fault
        for fault in faults
        if fault.path not in values
    ]
    return (
        *kept,
        *(tree.at_key(path, _TEXT, "secret") for path in keys),
        *(tree.at_value(path, _IN_STATE if path == ("state",) else _TEXT, "secret") for path in values),
    )


def in_comments(text: str) -> tuple[Fault, ...]:
    """A warning for each line of a plan without secrets that holds one all the same: it must stand in a comment."""
    return tuple(
        Fault(Mark(number, 1), _IN_COMMENT, code="secret")
        for number, line in enumerate(text.splitlines(), start=1)
        if "#" in line and has_secret(line[line.index("#") :])
    )


def _named(tree: Tree) -> Iterator[Path]:
    """Values that are secret for the key or the option before them."""
    for path, node, _ in tree.walk():
        if isinstance(node, Table):
            for entry in node.entries:
                if _KEY.fullmatch(entry.key) and _is_written(entry.node):
                    yield (*path, entry.key)
        elif isinstance(node, Items):
            for number, (one, other) in enumerate(zip(node.items, node.items[1:], strict=False), start=1):
                if not (isinstance(one, Scalar) and isinstance(one.value, str) and isinstance(other, Scalar)):
                    continue
                is_user = _USER_OPTION.fullmatch(one.value) and ":" in str(other.value)
                if (is_user or _OPTION.fullmatch(one.value)) and _is_written(other):
                    yield (*path, number)


def _is_written(node: object) -> bool:
    """Is it a text that is no reference?"""
    is_text = isinstance(node, Scalar) and isinstance(node.value, str)
    return is_text and _REFERRED.fullmatch(str(node.value)) is None  # type: ignore[attr-defined]
