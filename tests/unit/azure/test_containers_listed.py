"""What a listing of containers, and a look at one, say of protection: nobody may delete what is written there."""

from __future__ import annotations

import pytest

from migrator.adapters.azure.listing import listed_container, read_entries
from migrator.model.objects import ContainerInfo

LISTING = (
    '<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Containers><Container><Name>web</Name><Properties>'
    "<Etag>0x1</Etag>{properties}</Properties></Container></Containers><NextMarker /></EnumerationResults>"
)
FLAGS = {
    "HasImmutabilityPolicy": "has_immutability",
    "HasLegalHold": "has_legal_hold",
    "ImmutableStorageWithVersioningEnabled": "has_version_immutability",
}


@pytest.mark.parametrize("element", FLAGS)
@pytest.mark.parametrize("value", ["true", "True", "false", ""])
def test_a_listed_container_says_whether_it_is_protected(element: str, value: str) -> None:
    found: list[ContainerInfo] = []
    document = LISTING.format(properties=f"<{element}>{value}</{element}>").encode()
    read_entries(document, "Container", lambda node: found.append(listed_container(node)))
    is_protected = value.lower() == "true"
    assert [getattr(found[0], field) for field in FLAGS.values()].count(True) == is_protected
    assert getattr(found[0], FLAGS[element]) is is_protected
    assert found[0].is_protected is is_protected
