"""A strict storage service: Azurite, with the real service's rules where Azurite has none.

    from migrator.testing.strict import StrictService, running

    with running(StrictService("http://127.0.0.1:10000", {"devstoreaccount1": key})) as strict:
        strict.service.set_faults("devstoreaccount1", busy=0.3)
        ...  # a client at strict.endpoint("devstoreaccount1")

``rules`` lists every rule with its source; ``settings`` says what can be set. ``python -m migrator.testing.strict`` is the same
from the command line.
"""

from migrator.testing.strict.running import Running, running
from migrator.testing.strict.service import Seen, StrictService
from migrator.testing.strict.settings import COPY_REFUSALS, CopyRefusal, Faults, Grant, Hold, Nature

__all__ = [
    "COPY_REFUSALS",
    "CopyRefusal",
    "Faults",
    "Grant",
    "Hold",
    "Nature",
    "Running",
    "Seen",
    "StrictService",
    "running",
]
