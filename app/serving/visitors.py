"""Who asks: the address that a request comes from, as far as that can be told."""

from __future__ import annotations

import ipaddress
from typing import Any

from starlette.datastructures import Headers

__all__ = ["address_of"]

V6_HOME = 64  # bits of an IPv6 address that a household or a machine has for itself


def address_of(scope: dict[str, Any], proxies: int, behind_private: bool = False) -> str:
    """The address that counts for the bounds; of IPv6 its network, since one visitor has all of it.

    Args:
        scope: the request's, as ASGI has it.
        proxies: in front of this server that add to X-Forwarded-For, each the address that it was asked from. What
            stands further left in it, anyone can write.
        behind_private: whether those of a private network that follow are passed over, too.
    """
    client = scope.get("client")
    address = client[0] if client else ""
    if proxies:
        # A header may come several times; together they are one list.
        hops = [hop.strip() for line in Headers(scope=scope).getlist("x-forwarded-for") for hop in line.split(",")]
        if len(hops) >= proxies:
            address = hops[-proxies]
            known = hops[: len(hops) - proxies + 1]
            while behind_private and len(known) > 1 and _is_private(known[-1]):
                known.pop()
                address = known[-1]
    return _home(address)


def _is_private(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_private
    except ValueError:
        return False


def _home(address: str) -> str:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, V6_HOME), strict=False))
