"""Why SQLite could not open a file: it does not say so itself."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def are_used_up(place: str | Path) -> bool:
    """Can no file be opened because too many are open? If some have been closed meanwhile: does nothing else stand in the way?"""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as fault:
        return fault.errno in (errno.EMFILE, errno.ENFILE)
    path = Path(place)
    rights = os.R_OK | os.W_OK
    return path.is_file() and os.access(path, rights) and os.access(path.parent, rights | os.X_OK)
