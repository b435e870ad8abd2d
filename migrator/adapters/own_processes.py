"""How this program starts processes of its own: which command line, and which environment.

Rules: no module is ever looked for in the working directory, where a plan lies beside whatever else lies there; a process gets
the variables that its work may need and no others. Only installations that need ``PYTHONPATH`` or a user's own packages
keep these, without their relative parts, which mean the working directory too.
"""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from migrator.model.identities import variables_of
from migrator.model.schedule import Account

_NAMES: Final = frozenset(
    {
        *(
            "HOME",
            "USER",
            "LOGNAME",
            "SHELL",
            "PATH",
            "TMPDIR",
            "TEMP",
            "TMP",
            "TZ",
            "LANG",
            "LANGUAGE",
            "NO_COLOR",
            "TERM",
        ),
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "COMSPEC"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "OPENSSL_CONF", "KRB5CCNAME"),
        *("DBUS_SESSION_BUS_ADDRESS", "GNOME_KEYRING_CONTROL"),  # where the az command keeps its tokens
    }
)
_BEGINNINGS: Final = ("LC_", "XDG_", "AZURE_", "MSI_", "IDENTITY_", "IMDS_", "ARC_")
"""Locale, folders, and what Microsoft's identity library reads."""
_ENDINGS: Final = ("_PROXY",)
_ROOT: Final = str(Path(__file__).resolve().parents[2])
"""Where this program itself was found."""
_IMPORTING: Final = ("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE")


def command(module: str, *, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The command line that runs ``module`` of this installation: isolated (``-I``) where Python finds it that way."""
    alone = "-P" if _needs_environment(environ) else "-I"
    text = ("-X", "utf8") if sys.flags.utf8_mode else ()
    return (sys.executable, alone, *text, "-m", module)


def environment(
    accounts: Iterable[Account] = (), *, also: Iterable[str] = (), environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The variables for such a process.

    Args:
        accounts: those it opens; the variables that their credentials name come along.
        also: further variables that it needs.
    """
    secrets = set(also).union(*(variables_of(one.credential) for one in accounts))
    kept = {name: text for name, text in environ.items() if name in secrets or _is_wanted(name)}
    if _needs_environment(environ):
        kept |= {name: environ[name] for name in _IMPORTING if name in environ}
        kept["PYTHONPATH"] = os.pathsep.join([*_absolute(environ.get("PYTHONPATH", "")), _ROOT])
    return kept


def _is_wanted(name: str) -> bool:
    upper = name.upper()
    return upper in _NAMES or upper.startswith(_BEGINNINGS) or upper.endswith(_ENDINGS)


def _needs_environment(environ: Mapping[str, str]) -> bool:
    """The first entry of ``sys.path`` is the script's folder or the working directory: what is there alone is not installed."""
    return bool(site.ENABLE_USER_SITE) or any(environ.get(name) for name in _IMPORTING) or _ROOT not in sys.path[1:]


def _absolute(path: str) -> list[str]:
    """The parts that mean the same folder wherever one stands; an empty part is the working directory."""
    return [part for part in path.split(os.pathsep) if os.path.isabs(part)]
