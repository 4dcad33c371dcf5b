"""The router's files, rendered from the routing table: a configuration and two maps. Pure."""

from collections.abc import Sequence

from longshore.domain.names import ROUTE_SLOTS
from longshore.domain.ports import AppRoute, RouteServer, RoutingTable

CONFIG, HOSTS, LIVE = "haproxy.cfg", "hosts.map", "live.map"
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
    http-request set-var(txn.slot) var(txn.app),map_str({folder}/live.map,_)
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
    return {CONFIG: head + backends, HOSTS: _map(hosts(table)), LIVE: _map(live(table))}


def hosts(table: RoutingTable) -> dict[str, str]:
    """Host name → app."""
    return {domain: route.app for route in table for domain in route.domains}


def live(table: RoutingTable) -> dict[str, str]:
    """App → live slot."""
    return {route.app: route.live for route in table if route.live}


def backend(app: str, slot: str) -> str:
    """The name of a slot in the router."""
    return f"{app}_{slot}"


def _backend(route: AppRoute, slot: str) -> str:
    lines = [f"    server {_server(one)} {CHECK}" for one in route.servers.get(slot, ()) if not one.draining]
    return "\n".join([f"\nbackend {backend(route.app, slot)}", *lines, ""])


def _server(server: RouteServer) -> str:
    return f"{server.name} {server.address}:{server.port}"


def _map(entries: dict[str, str]) -> str:
    return "".join(f"{key} {value}\n" for key, value in sorted(entries.items()))
