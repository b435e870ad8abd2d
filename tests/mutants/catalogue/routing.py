"""Planted mistakes in the routers and the route document's own form."""

from tests.mutants.mutant import Mutant

ROUTERS, ON_ACCOUNTS = "tests/contract/test_routers.py", "tests/contract/test_routers_on_accounts.py"
VECTORS = "tests/unit/client/test_client_vectors.py"

MUTANTS = (
    Mutant(
        "file-swaps-over-anything",
        "adapters/routing/file.py",
        "if found != expected_etag:",
        "if found is None and expected_etag is not None:",
        "A swap of the route file does not look at what is there.",
        (ROUTERS,),
    ),
    Mutant(
        "blob-swaps-over-anything",
        "adapters/routing/store.py",
        "condition = CREATE if expected_etag is None else Condition(if_match=expected_etag)",
        "condition = CREATE if expected_etag is None else Condition()",
        "A swap of the route blob carries no condition.",
        (ON_ACCOUNTS, ROUTERS),
    ),
    Mutant(
        "first-document-over-another",
        "adapters/routing/store.py",
        "condition = CREATE if expected_etag is None else Condition(if_match=expected_etag)",
        "condition = Condition(if_match=expected_etag)",
        "The first document of two engines at once: the second one replaces the first.",
        (ON_ACCOUNTS, ROUTERS),
    ),
    Mutant(
        "half-a-document-is-seen",
        "adapters/routing/file.py",
        "                os.replace(temporary, self._path)\n                temporary = None\n",
        "                self._path.write_bytes(body)\n",
        "Readers may see half a document, and a power cut leaves it.",
        ("tests/contract/test_routers.py",),
    ),
    Mutant(
        "equal-bytes-have-one-token",
        "adapters/routing/file.py",
        'return f"{hashlib.sha256(raw).hexdigest()[:32]}-{status.st_ino:x}-{status.st_ctime_ns:x}"',
        "return hashlib.sha256(raw).hexdigest()[:32]",
        "An edit there and back to the same bytes goes unnoticed.",
        ("tests/contract/test_routers.py",),
    ),
    Mutant(
        "any-mode-is-writable",
        "model/routes.py",
        '    if value["mode"] not in (READ_WRITE, READ_ONLY):\n',
        '    if value["mode"] not in (READ_WRITE, READ_ONLY, "open"):\n',
        "A record with an unknown mode is followed.",
        ("tests/unit/model/test_routes.py",),
    ),
)
