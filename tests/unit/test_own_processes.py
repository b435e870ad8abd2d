"""Processes of our own: nothing beside the plan is imported, and nothing but what they need is in their environment."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from migrator.adapters.own_processes import command, environment
from migrator.model.schedule import Account

ROOT = Path(__file__).resolve().parents[2]
STARTERS = {"Popen", "run", "call", "check_call", "check_output", "create_subprocess_exec", "create_subprocess_shell"}
STARTERS |= {"system", "popen", "execv", "execve", "execvp", "execl", "spawnv", "posix_spawn"}
FROM = {"subprocess", "os", "asyncio"}
ARGUED = {
    "migrator/adapters/operators_commands.py": "a program of the operator's own: what it needs is the operator's to say",
    "migrator/testing/simulation/__main__.py": "itself again, with the flags that it was started with",
}
MAY_NAME_PYTHON = {"migrator/adapters/own_processes.py", *ARGUED, "migrator/testing/demo.py"}
"""The demo looks for the installed command beside it."""


def starts(text: str) -> list[tuple[int, bool]]:
    """Line of each start of a process, and whether it says which environment it gets."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in STARTERS):
            continue
        root: ast.expr = node.func.value
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name) and root.id in FROM:
            if root.id == "asyncio" and node.func.attr == "run":
                continue
            found.append((node.lineno, any(one.arg == "env" for one in node.keywords)))
    return found


def faults(path: str, text: str) -> list[str]:
    wrong = [f"{path}:{line}: no env=" for line, has_env in starts(text) if not has_env and path not in ARGUED]
    if "sys.executable" in text and path not in MAY_NAME_PYTHON:
        wrong.append(f"{path}: starts Python by itself; take adapters.own_processes.command")
    return wrong


def test_every_process_of_ours_has_a_safe_command_line_and_an_environment_of_its_own() -> None:
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / "migrator").rglob("*.py")}
    assert [fault for path, text in texts.items() for fault in faults(path, text)] == []
    assert sum(len(starts(text)) for text in texts.values()) >= 6, "the search sees nothing"


def test_the_search_can_fail() -> None:
    assert faults("a.py", "import subprocess\nsubprocess.Popen(x)") == ["a.py:2: no env="]
    assert faults("a.py", "import asyncio\nasyncio.create_subprocess_exec(x)") == ["a.py:2: no env="]
    assert faults("a.py", "import sys\nx = [sys.executable, '-m', 'y']")
    assert faults("a.py", "subprocess.Popen(x, env=y)\nasyncio.run(z)") == []


@pytest.mark.parametrize("kind", ["json.py", "migrator/__init__.py", "asyncio.py", "sitecustomize.py"])
@pytest.mark.parametrize("path", [None, "", ".", f"{os.pathsep}/nowhere"], ids=str)
def test_nothing_in_the_working_directory_is_imported(tmp_path: Path, kind: str, path: str | None) -> None:
    """Whatever PYTHONPATH says of it: an empty or relative part is the working directory, too."""
    bait = tmp_path / kind
    bait.parent.mkdir(exist_ok=True)
    bait.write_text("raise SystemExit('code beside the plan was run')\n")
    environ = {**os.environ, **({} if path is None else {"PYTHONPATH": path})}
    if path is None:
        environ.pop("PYTHONPATH", None)
    for module in ("migrator.cli.guard", "migrator.cli.worker"):
        done = subprocess.run(
            command(module, environ=environ),
            cwd=tmp_path,
            env=environment(environ=environ),
            input="",
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), module


def test_an_installation_by_pythonpath_works(tmp_path: Path) -> None:
    """Copied somewhere, found by PYTHONPATH alone: ``-I`` would not find it."""
    place = tmp_path / "copy"
    place.symlink_to(ROOT / "migrator")
    environ = {"PYTHONPATH": f".{os.pathsep}{tmp_path}", "PATH": os.environ["PATH"]}
    assert command("x", environ=environ)[1] == "-P"
    assert environment(environ=environ)["PYTHONPATH"].split(os.pathsep) == [str(tmp_path), str(ROOT)]


def test_an_ordinary_installation_is_isolated() -> None:
    program = "from migrator.adapters.own_processes import command; print(command('x')[1])"
    environ = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd="/", env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == "-I\n"


def test_an_environment_holds_what_is_needed_and_no_more() -> None:
    environ = {
        "PATH": "/bin", "HOME": "/h", "LC_ALL": "C.UTF-8", "https_proxy": "http://p", "AZURE_CLIENT_ID": "i",
        "CORE": "a connection", "WEB": "another", "DATABASE_PASSWORD": "x", "PYTHONSTARTUP": "y", "LD_PRELOAD": "z",
    }  # fmt: skip
    kept = environment([Account("core", "azure", credential="env:CORE")], environ=environ)
    assert set(kept) - {"PYTHONPATH"} == {"PATH", "HOME", "LC_ALL", "https_proxy", "AZURE_CLIENT_ID", "CORE"}


def test_variables_that_routes_need_come_along() -> None:
    """A guardian that cannot open the routes frees nobody."""
    assert environment(also={"ROUTES"}, environ={"ROUTES": "a", "OTHER": "b"}).keys() == {"ROUTES"}
