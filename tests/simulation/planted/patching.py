"""How a mistake patches what it breaks."""

import contextlib
from unittest import mock


def patched(target, name, new):
    return mock.patch.object(target, name, new)


@contextlib.contextmanager
def all_of(*patches):
    with contextlib.ExitStack() as stack:
        for one in patches:
            stack.enter_context(one)
        yield
