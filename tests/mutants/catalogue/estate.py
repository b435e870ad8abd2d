"""Planted mistakes where accounts are created: what is changed that is there, what the new account is, what is asked before."""

from tests.mutants.mutant import Mutant

DOOR, STORY = ("tests/contract/test_resource_manager.py",), ("tests/scenario/test_provisioning.py",)

MUTANTS = (
    Mutant(
        "a-create-over-what-is-there",
        "adapters/estate/manager.py",
        "            if there is None:\n",
        "            if there is None or there.sku != wanted.sku:\n",
        "A create is sent for an account that is there, and changes it.",
        DOOR,
    ),
    Mutant(
        "old-tls",
        "adapters/estate/forms.py",
        '"minimumTlsVersion": "TLS1_2",',
        '"minimumTlsVersion": "TLS1_0",',
        "A new account takes the oldest TLS.",
        DOOR,
    ),
    Mutant(
        "lifecycle-rules-stay-on",
        "adapters/estate/forms.py",
        '{**one.document, "enabled": False} for one in settings.lifecycle]',
        "{**one.document} for one in settings.lifecycle]",
        "Lifecycle rules of the source are on at the new account.",
        DOOR,
    ),
    Mutant(
        "exceptions-of-a-role-are-rights",
        "adapters/estate/forms.py",
        "has(one.get(key)) and not has(one.get(exceptions))",
        "has(one.get(key))",
        "What a role excepts is taken for granted.",
        DOOR,
    ),
    Mutant(
        "one-tenant-for-all-figures",
        "adapters/metrics/azure_monitor/batch.py",
        'known = self._tenants.get(tenant or "", self._credential)',
        "known = self._credential",
        "Azure Monitor is asked with another tenant's token.",
        DOOR,
    ),
    Mutant(
        "others-accounts-are-finished",
        "engine/steps/provision.py",
        "    if shape.lineage != mover.world.state.lineage:\n",
        "    if shape.lineage == mover.world.state.lineage + ' of others':\n",
        "An account that somebody else created meanwhile is given the source's settings.",
        STORY,
    ),
    Mutant(
        "created-and-never-finished",
        "engine/steps/provision.py",
        "    if unlike(there, given):\n",
        "    if unlike(there, given) and shape.is_hierarchical:\n",
        "A new account gets none of the source's settings.",
        STORY,
    ),
    Mutant(
        "not-waited-for-its-name",
        "engine/steps/provision.py",
        "    await _reached(mover)\n",
        "    await mover.world.clock.sleep(0)\n",
        "A move goes on before the new account's blobs can be asked for.",
        STORY,
    ),
    Mutant(
        "open-to-everybody",
        "engine/steps/provision.py",
        '    if mover.shared.schedule.public_access != "keep":\n        return False\n',
        '    if mover.shared.schedule.public_access != "keep":\n        return True\n',
        "A new account lets containers be open though the plan drops that.",
        STORY,
    ),
    Mutant(
        "those-to-come-need-no-room",
        "engine/checks/estate.py",
        "            if quota.used + len(accounts) > quota.most:\n",
        "            if quota.used > quota.most:\n",
        "Accounts are to be created in a subscription that is full.",
        STORY,
    ),
    Mutant(
        "a-copy-needs-rights-to-create",
        "engine/checks/case.py",
        "        return [one for one in waiting if is_created(self.schedule.accounts[one.target])]\n",
        "        return [one for one in self.moves if is_created(self.schedule.accounts[one.target])]\n",
        "Whoever goes on with a move needs rights at the resource manager.",
        STORY,
    ),
)
