"""A plan drafted from the accounts that there are: it validates, and its comments say what a person must decide.

Decides what is proposed: an area for each family of containers (names up to their first dash), a region for each account that
holds several of them, a new account for each area there, waves from the quietest account to the busiest, and windows in each
one's quiet hours. Leaves finding the
accounts to whoever asks. Rule: nothing is proposed as if it were known - what is a guess says so in the line where it stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from migrator.errors import UsageError
from migrator.model.discovered import FoundAccount, FoundTraffic, Holding
from migrator.model.estate import region
from migrator.model.units import show_bytes, show_count, show_ratio

MOST_NAME: Final = 24
"""Of a storage account's name. Source: Azure "Storage account overview"."""
FAST: Final = frozenset(
    (
        *(
            "australiaeast",
            "brazilsouth",
            "canadacentral",
            "centralindia",
            "centralus",
            "eastasia",
            "eastus",
            "eastus2",
        ),
        *("francecentral", "germanywestcentral", "japaneast", "koreacentral", "northcentralus", "northeurope"),
        *("norwayeast", "southafricanorth", "southcentralus", "southeastasia", "swedencentral", "switzerlandnorth"),
        *("uaenorth", "uksouth", "westeurope", "westus", "westus2", "westus3"),
    )
)
"""Where a standard account takes twice as much. Source: Azure "Scalability and performance targets for standard storage
accounts": it may be out of date, so the draft says that it is a guess."""
EVEN: Final = 0.9
"""From this share of the usual traffic on the quietest hours are as good as any."""
DEFAULT_LIMIT, FAST_LIMIT = "1.2M", "2.4M"
_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_SYSTEM: Final = re.compile(r"\$|azure-webjobs|insights-|bootdiagnostics")


def draft(
    found: Sequence[FoundAccount],
    *,
    name: str,
    cloud: Mapping[str, str],
    asked: Sequence[str] = (),
    credential: str = "default",
) -> str:
    """The plan's text.

    Args:
        credential: who read all this, as a plan spells it.
        asked: names of areas that are wanted; none: all families.
    Raises:
        UsageError: no account holds anything that could be moved.
    """
    families = {one.name: _families(one, asked) for one in found}
    sources = [one for one in found if len(families[one.name]) > 1] or [one for one in found if families[one.name]]
    if not sources:
        raise UsageError(
            f"cannot draft a plan: none of the {len(found)} accounts that were found holds a container of an area",
            hint="`migrate init --local` writes a plan for a first try",
        )
    sources.sort(key=lambda one: (one.traffic is None, _peak(one), one.name))  # unknown is not quiet
    taken = {one.name for one in found}
    targets = {one.name: {area: _new_name(one.name, area, taken) for area in families[one.name]} for one in sources}
    left = [one for one in found if one not in sources]
    lines = [
        *_head(found, sources, left, name, credential),
        *_accounts(sources, targets, left, cloud),
        *_areas(sources, families),
    ]
    lines += [*_regions(sources, families, targets), *_rest(sources, left, credential), *_waves(sources, families)]
    return "\n".join(lines) + "\n"


def is_the_services(container: str) -> bool:
    """Is it one that the platform writes to, and nobody moves?"""
    return _SYSTEM.match(container) is not None


def _families(one: FoundAccount, asked: Sequence[str]) -> list[str]:
    names = dict.fromkeys(_family(container) for container in one.containers if not is_the_services(container))
    return sorted(name for name in names if not asked or name in asked)


def _family(container: str) -> str:
    first = container.partition("-")[0]
    return first if _quoted(first) == first else f"c{first}"


def _new_name(source: str, area: str, taken: set[str]) -> str:
    end = re.sub(r"[^a-z0-9]", "", area)[:10]
    for number in ("", *map(str, range(2, 1000))):
        made = source[: MOST_NAME - len(end) - len(number)] + end + number
        if made not in taken:
            taken.add(made)
            return made
    raise AssertionError("unreachable")


def _endpoint(source: FoundAccount, name: str) -> str:
    """As the source's, for another account."""
    scheme, _, rest = source.endpoint.partition("://")
    if rest.startswith(f"{source.name}."):
        return f"{scheme}://{name}{rest.removeprefix(source.name)}"
    if rest.endswith(f"/{source.name}"):
        return f"{scheme}://{rest.removesuffix(source.name)}{name}"
    return f"https://{name}.blob.core.windows.net"


def _limit(one: FoundAccount) -> str:
    return FAST_LIMIT if region(one.location) in FAST else DEFAULT_LIMIT


def _region_of(one: FoundAccount, sources: Sequence[FoundAccount]) -> str:
    place = region(one.location)
    alone = sum(region(other.location) == place for other in sources) == 1
    return place if alone else f"{place}-{one.name}"


def _head(
    found: Sequence[FoundAccount],
    sources: Sequence[FoundAccount],
    left: Sequence[FoundAccount],
    name: str,
    credential: str,
) -> Iterator[str]:
    yield f"# Drafted by `migrate init` from {len(found)} storage accounts. Each DECIDE is a guess that a person must settle."
    yield "# Then: migrate validate, migrate plan (reads only), and only then migrate apply."
    yield f"# {len(sources)} accounts hold what is proposed to be moved, {len(left)} are left as they are."
    for one in found:
        if one.unread:
            yield f"# The containers of {one.name} could not be listed: {_comment(one.unread)}"
        if one.is_hierarchical:
            yield f"# {one.name} has a hierarchical namespace: see what `migrate plan` says of its directories."
    yield "version: 1"
    yield f"name: {name}"
    if credential != "default":
        yield f"defaults: {{account: {{credential: {json.dumps(credential)}}}}}"
    yield ""


def _accounts(
    sources: Sequence[FoundAccount],
    targets: Mapping[str, Mapping[str, str]],
    left: Sequence[FoundAccount],
    cloud: Mapping[str, str],
) -> Iterator[str]:
    if cloud:
        yield "cloud:"
        yield from (f"  {key}: {address}" for key, address in sorted(cloud.items()))
        yield ""
    yield "accounts:"
    for one in sources:
        yield f"  {_quoted(one.name)}:  # {one.kind}, {one.sku}, {len(one.containers)} containers{_held(one)}"
        if one.traffic is not None:
            yield f"    # {_measured(one.traffic)}"
        yield from _place(one, one.endpoint)
        for area, target in targets[one.name].items():
            yield f"  {_quoted(target)}:  # DECIDE its name, and a subscription of its own: that is what keeps areas apart"
            yield from _place(one, _endpoint(one, target))
            kind = f", kind: {one.kind}" if one.kind == "BlockBlobStorage" else ""
            yield f"    provision: {{sku: {one.sku}{kind}, tags: {{area: {area}}}}}  # created by apply if it is not there"
    if left:
        control = left[0]
        yield f"  {_quoted(control.name)}:  # DECIDE: proposed for the route document, because nothing of it is moved"
        yield from _place(control, control.endpoint)
    yield ""


def _place(one: FoundAccount, endpoint: str) -> Iterator[str]:
    yield f"    endpoint: {endpoint}"
    yield f"    subscription: {json.dumps(one.subscription)}"
    yield f"    resource_group: {json.dumps(one.resource_group)}"
    yield f"    location: {region(one.location)}"
    yield f"    requests_per_minute: {_limit(one)}  # by region and sku as published: ask for yours"


def _areas(sources: Sequence[FoundAccount], families: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield "areas:  # DECIDE: what switches as one. Families of container names are only a guess at it"
    for area in sorted({area for one in sources for area in families[one.name]}):
        names = {
            name for one in sources for name in one.containers if _family(name) == area and not is_the_services(name)
        }
        plain = sorted(name for name in names if "-" not in name)
        dashed = sorted({f"{name.partition('-')[0]}-*" for name in names if "-" in name})
        yield f"  {area}: {{containers: [{', '.join(_quoted(name) for name in (*plain, *dashed))}]}}"
    yield ""


def _regions(
    sources: Sequence[FoundAccount], families: Mapping[str, Sequence[str]], targets: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    yield "regions:  # one for each account that is split"
    for one in sources:
        yield f"  {_region_of(one, sources)}:"
        yield f"    source: {_quoted(one.name)}"
        yield f"    targets: {{{', '.join(f'{area}: {_quoted(target)}' for area, target in targets[one.name].items())}}}"
        if one.traffic is not None and not one.traffic.peak:
            yield f"    # DECIDE traffic: nobody asked {one.name} for anything {_back(one.traffic)}: is it used at all?"
        elif one.traffic is not None:
            share = max(1, round(one.traffic.peak / len(families[one.name])))
            split = ", ".join(f"{area}: {share}" for area in families[one.name])
            yield f"    traffic: {{{split}}}  # DECIDE: the account's busiest hour, split evenly; its meter knows no areas"
        else:
            yield "    # DECIDE traffic: {area: requests a minute}: its meter said nothing; `migrate traffic` can ask"
        yield from _inventory(one, families[one.name])
    yield ""


def _inventory(one: FoundAccount, areas: Sequence[str]) -> Iterator[str]:
    """What each area holds, where its containers were counted, or where the account holds nothing else."""
    holds = {area: _of_area(one, area) for area in areas}
    if len(areas) == 1 and one.holds is not None and len({_family(name) for name in one.containers}) == 1:
        holds = {areas[0]: holds[areas[0]] or one.holds}
    known = [(area, held) for area, held in holds.items() if held is not None]
    if known:
        each = ", ".join(f"{area}: {{{_declared(held)}}}" for area, held in known)
        at = min(held.at for _, held in known)
        yield f"    inventory: {{{each}}}  # as of {at:%Y-%m-%d %H:%M} UTC; `migrate plan` counts anew"
    elif one.holds is not None:
        yield "    # DECIDE inventory: its meter knows no areas; `migrate plan` counts them, and so does `migrate init --count`"


def _of_area(one: FoundAccount, area: str) -> Holding | None:
    mine = [held for name, held in (one.counted or {}).items() if _family(name) == area and not is_the_services(name)]
    if not mine:
        return None
    return Holding(sum(held.objects for held in mine), sum(held.bytes for held in mine), min(held.at for held in mine))


def _declared(held: Holding) -> str:
    return f"objects: {held.objects}" + (f", bytes: {max(1, held.bytes)}B" if held.objects else "")


def _held(one: FoundAccount) -> str:
    if one.holds is None:
        return ""
    held = one.holds
    return f", {held.objects:,} blobs, {show_bytes(held.bytes)} ({held.at:%Y-%m-%d %H:%M} UTC)"


def _back(traffic: FoundTraffic) -> str:
    return f"in the last {traffic.hours // 24} days" if traffic.hours >= 48 else f"in the last {traffic.hours} h"


def _measured(traffic: FoundTraffic) -> str:
    if not traffic.peak:
        return f"no request {_back(traffic)}"
    return (
        f"requests a minute, the mean of an hour, {_back(traffic)}: {show_count(traffic.peak)} in the busiest"
        f" ({traffic.peak_begin:%a %Y-%m-%d %H:%M} UTC), {show_count(traffic.typical)} in the median one"
    )


def _peak(one: FoundAccount) -> float:
    return one.traffic.peak if one.traffic is not None else 0.0


def _window(one: FoundAccount) -> str:
    """When the account is quietest, for it is paused then; a remark where nobody knows, or where it makes no difference."""
    quiet = one.traffic.quiet if one.traffic is not None else None
    if quiet is None or quiet.share > EVEN:
        why = "" if quiet is None else f": {one.name} is as busy at any hour"
        return f'    # change_windows: [{{days: [sat, sun], from: "02:00", to: "06:00", timezone: UTC}}]{why}'
    end = quiet.begin + quiet.hours
    clock = f'from: "{quiet.begin:02d}:00", to: "{end if end == 24 else end % 24:02d}:00"'
    return (
        f"    change_windows: [{{{clock}, timezone: UTC}}]  # DECIDE: when {one.name} is quietest,"
        f" {show_ratio(round(quiet.share, 2))} of its mean"
    )


def _rest(sources: Sequence[FoundAccount], left: Sequence[FoundAccount], credential: str) -> Iterator[str]:
    control = left[0].name if left else sources[0].name
    yield "# DECIDE where routes are kept: whoever follows them reads there"
    yield f"routing: {{kind: blob, account: {_quoted(control)}, container: routing, name: routes.json, ttl: 30s}}"
    yield ""
    yield "# What migration itself may use of each account. DECIDE: sources are loaded already, so this is a twentieth."
    yield "budget: {requests_per_minute: 60k, bytes_per_second: 200MiB}"
    yield ""
    yield "metrics:"
    asks = "" if credential == "default" else f", credential: {json.dumps(credential)}"
    yield f"  azure: {{kind: azure-monitor{asks}}}"
    yield "gates:  # DECIDE what healthy means; `settled` by your forecast is one more"
    for gate, metric, most in (("no-throttling", "throttled_ratio", "0.001"), ("no-errors", "error_ratio", "1%")):
        yield f"  {gate}:"
        yield f"    {{source: azure, metric: {metric}, account: target, max: {most}, window: 10m, on_no_data: inconclusive}}"
    yield ""


def _waves(sources: Sequence[FoundAccount], families: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The quietest account's first area alone, then account after account."""
    yield "waves:  # the quietest account first; each waits until the one above has soaked. DECIDE order, soaks and windows"
    quiet = sources[0]
    first, others = families[quiet.name][0], families[quiet.name][1:]
    waves = [("first", quiet, [first]), *([(f"{_region_of(quiet, sources)}-rest", quiet, others)] if others else [])]
    waves += [(_region_of(one, sources), one, list(families[one.name])) for one in sources[1:]]
    for name, one, areas in waves:
        yield f"  - name: {name}"
        yield f"    moves: [{{region: {_region_of(one, sources)}, areas: [{', '.join(areas)}]}}]"
        yield "    soak: 96h"
        yield "    gates: [no-throttling, no-errors]"
        if name != "first":
            yield "    approval: required"
        yield _window(one)
    yield ""
    yield "retire: {watch: 14d}  # DECIDE when the data at the old accounts may go: its own command asks, apply deletes none"


def _quoted(name: str) -> str:
    """As YAML reads a text, where it would read the name as something else."""
    return f'"{name}"' if name[:1].isdigit() or name in _WORDS else name


def _comment(text: str) -> str:
    return " ".join(text.split())
