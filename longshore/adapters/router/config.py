"""The router's files, rendered from the routing table: a configuration and its maps. Pure."""

from collections.abc import Collection, Mapping, Sequence

from longshore.domain.names import ROUTE_SLOTS
from longshore.domain.ports import AppRoute, RouteServer, RoutingTable

CONFIG, HOSTS, LIVE, SHARE = "haproxy.cfg", "hosts.map", "live.map", "share.map"
FOLDER = "/etc/longshore"  # where the container sees them
SOCKETS = "/run/longshore"
CHECK = "check inter 2s fall 2 rise 1"  # connects only; whether an app is well is the health check's business

_HEAD = """\
# Written by Longshore from its database; changes made here are lost.
global
    stats socket {sockets}/admin.sock mode 600 level admin
    maxconn 8000
    hard-stop-after 1h

defaults
    mode http
    option idle-close-on-response
    option forwardfor
    option redispatch 1
    retries 1
    retry-on conn-failure
    balance roundrobin
    timeout connect 2s
    timeout client 5m
    timeout server 5m
    timeout http-request 15s
    timeout http-keep-alive 30s
    timeout queue 5s
    timeout tunnel 1h

frontend apps
{binds}
    http-request del-header x-forwarded-for
    http-request del-header x-forwarded-proto
    http-request set-header x-forwarded-proto http
    http-request set-header x-real-ip %[src]
    http-request set-var(txn.app) req.hdr(host),field(1,:),lower,map_str({folder}/hosts.map,_)
    http-request set-var(txn.live) var(txn.app),map_str({folder}/live.map,_)
    http-request set-var(txn.slot) var(txn.live)
    http-request set-var(txn.share) var(txn.app),concat(_,txn.live),map_str_int({folder}/share.map,0)
    http-request set-var(txn.lot) rand(1000)
    acl drawn var(txn.lot),sub(txn.share) lt 0
    http-request set-var(txn.slot) str(b) if drawn {{ var(txn.live) -m str a }}
    http-request set-var(txn.slot) str(a) if drawn {{ var(txn.live) -m str b }}
    http-request set-var(txn.probe) bool(true) if {{ req.hdr(x-longshore-probe) -m str {key} }}
    acl ours var(txn.probe) -m bool
    acl names_slot req.hdr(x-longshore-slot) -m found
    http-request set-var(txn.slot) req.hdr(x-longshore-slot) if ours names_slot
    http-request del-header x-longshore-probe
    http-request del-header x-longshore-slot
    http-response set-header x-longshore-served-by %b/%s if ours
    acl unknown var(txn.app) -m str _
    acl not_live var(txn.slot) -m str _
    http-request return status 404 content-type text/plain string "no app answers on this host name\\n" if unknown
    http-request return status 503 content-type text/plain string "this app has no live release\\n" if not_live
    use_backend %[var(txn.app)]_%[var(txn.slot)]
    default_backend nowhere

backend nowhere
    http-request return status 404 content-type text/plain string "no app answers on this host name\\n"
"""


def render(table: RoutingTable, key: str, listens: Sequence[str]) -> dict[str, str]:
    """File name → text. The same table gives the same text. ``listens``: addresses with ports."""
    binds = "\n".join(f"    bind {address}" for address in listens)
    head = _HEAD.format(folder=FOLDER, sockets=SOCKETS, key=key, binds=binds)
    backends = "".join(_backend(route, slot) for route in table for slot in ROUTE_SLOTS)
    return {CONFIG: head + backends, **{name: _map(entries) for name, entries in maps(table).items()}}


def maps(table: RoutingTable) -> dict[str, dict[str, str]]:
    """What can change without a reload: file name → its entries."""
    return {HOSTS: hosts(table), SHARE: share(table), LIVE: live(table)}


def hosts(table: RoutingTable) -> dict[str, str]:
    """Host name → app."""
    return {domain: route.app for route in table for domain in route.domains}


def live(table: RoutingTable) -> dict[str, str]:
    """App → live slot."""
    return {route.app: route.live for route in table if route.live}


def share(table: RoutingTable) -> dict[str, str]:
    """Live slot → how many in a thousand go to the other one. By slot, so that a switch ends its share with it."""
    return {backend(route.app, route.live): str(route.share) for route in table if route.live and route.share}


def serving(live_slots: Mapping[str, str], shares: Collection[str]) -> set[str]:
    """The slots that get requests, by the entries of the two maps."""
    return {
        backend(app, slot)
        for app, live_slot in live_slots.items()
        for slot in (ROUTE_SLOTS if backend(app, live_slot) in shares else (live_slot,))
    }


def backend(app: str, slot: str) -> str:
    """The name of a slot in the router."""
    return f"{app}_{slot}"


def slot_of(name: str) -> tuple[str, str]:
    """App and slot of a backend."""
    app, _, slot = name.rpartition("_")
    return app, slot


def _backend(route: AppRoute, slot: str) -> str:
    lines = [f"    server {_server(one)} {CHECK}" for one in route.servers.get(slot, ()) if not one.draining]
    return "\n".join([f"\nbackend {backend(route.app, slot)}", *lines, ""])


def _server(server: RouteServer) -> str:
    return f"{server.name} {server.address}:{server.port}"


def _map(entries: dict[str, str]) -> str:
    return "".join(f"{key} {value}\n" for key, value in sorted(entries.items()))
