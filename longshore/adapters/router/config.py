"""The router's files, rendered from the routing table: a configuration, pages and maps. Pure.

What belongs to one app is in the maps, which change without a reload; no word of a user is in the configuration.
"""

import hashlib
import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from longshore.adapters.router import pages
from longshore.domain.names import ROUTE_SLOTS
from longshore.domain.ports import AppRoute, RouteServer, RoutingTable

CONFIG, HOSTS, LIVE, SHARE = "haproxy.cfg", "hosts.map", "live.map", "share.map"
RATE, BODY, TIMEOUT = "max_rps.map", "max_body.map", "timeout.map"
MAINTENANCE, REDIRECT = "maintenance.map", "redirect.map"
FOLDER = "/etc/longshore"  # where the container sees them
SOCKETS = "/run/longshore"
CHECK = "check inter 2s fall 2 rise 1"  # connects only; whether an app is well is the health check's business
HTTPS = 443
RATE_LIMIT = 1_000_000  # nobody asks more of one router: a limit above is none

_CERTIFICATES = re.compile(rf" ssl crt {FOLDER}/(\S+)/ ")
_REDIRECT = """\
    http-request redirect code 308 location https://%[req.hdr(host),field(1,:),lower]{port}%[pathq] \
if wants_tls !ours !{{ ssl_fc }}
"""
_MARK = re.compile(r"^    description (\w+)$", re.MULTILINE)
_HEAD = """\
# Written by Longshore from its database; changes made here are lost.
global
    stats socket {sockets}/admin.sock mode 600 level admin
    maxconn 8000
    hard-stop-after 1h
    ssl-default-bind-options ssl-min-ver TLSv1.2
    description {mark}

defaults base
    mode http
    option idle-close-on-response
    option forwardfor
    option redispatch 1
    retries 1
    retry-on conn-failure empty-response
    balance roundrobin
    timeout connect 2s
    timeout client 5m
    timeout server 5m
    timeout http-request 15s
    timeout http-keep-alive 30s
    timeout queue 5s
    timeout tunnel 1h
{errors}

frontend apps
{binds}
    http-request del-header ^(x[-_]forwarded[-_].*|forwarded|x[-_]real[-_]ip)$ -m reg
    http-request set-header x-forwarded-proto http
    http-request set-header x-forwarded-proto https if {{ ssl_fc }}
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
    acl wants_tls var(txn.app),map_str({folder}/redirect.map) -m found
{redirect}    http-request set-var(txn.maintenance) var(txn.app),map_str({folder}/maintenance.map)
    acl closed var(txn.maintenance) -m found
    http-request return status 503 content-type {type} hdr Retry-After 60 hdr Cache-Control no-store \
lf-file {folder}/maintenance.html if closed !ours
    http-request return status 503 content-type text/plain string "this app has no live release\\n" if not_live
    http-request set-var(txn.max_body) var(txn.app),map_str_int({folder}/max_body.map)
    acl sized var(txn.max_body) -m found
    acl too_large req.hdr(content-length),sub(txn.max_body) gt 0
    acl too_large req.body_size,sub(txn.max_body) gt 0
    acl says_length req.hdr(content-length) -m found
    acl ended internal.htx.has_eom
    acl chunked req.hdr(transfer-encoding) -m found
    http-request return status 413 content-type {type} file {folder}/413.html if sized too_large
    http-request return status 411 content-type {type} file {folder}/411.html if sized chunked
    http-request return status 411 content-type {type} file {folder}/411.html if sized !says_length !ended
    http-request set-var(txn.max_rps) var(txn.app),map_str_int({folder}/max_rps.map)
    acl limited var(txn.max_rps) -m found
    http-request track-sc0 var(txn.app) table nowhere if limited !ours
    acl over sc0_gpc0_rate,sub(txn.max_rps) ge 0
    http-request return status 429 content-type {type} hdr Retry-After 1 file {folder}/429.html if limited over !ours
    http-request sc-inc-gpc0(0) if limited !ours
    http-request set-var(txn.timeout) var(txn.app),map_str_int({folder}/timeout.map)
    http-request disable-l7-retry unless {{ method GET HEAD OPTIONS }}
    use_backend %[var(txn.app)]_%[var(txn.slot)]
    default_backend nowhere

backend nowhere
    stick-table type string len 40 size 20k expire 10s store gpc0,gpc0_rate(1s)
    http-request return status 404 content-type text/plain string "no app answers on this host name\\n"

defaults apps from base
    http-request set-timeout server var(txn.timeout) if {{ var(txn.timeout) -m found }}
"""


@dataclass(frozen=True)
class Tls:
    """Where it listens for TLS, and the folder of certificates below its own."""

    port: int
    listens: tuple[str, ...]
    folder: str

    def binds(self) -> list[str]:
        """A client that names a host without a certificate is refused."""
        crt = f"{FOLDER}/{self.folder}/"
        return [f"{address} ssl crt {crt} alpn h2,http/1.1 strict-sni" for address in self.listens]

    def redirect(self) -> str:
        """The rules for those who came without it."""
        return _REDIRECT.format(folder=FOLDER, port="" if self.port == HTTPS else f":{self.port}")


def render(table: RoutingTable, key: str, listens: Sequence[str], tls: Tls | None = None) -> dict[str, str]:
    """File name → text. The same table gives the same text. ``listens``: addresses with ports."""
    backends = [(route, slot) for route in table for slot in ROUTE_SLOTS]
    mark = _mark_of(
        [_head(key, listens, tls, ""), pages.files(), [backend(route.app, slot) for route, slot in backends]]
    )
    text = _head(key, listens, tls, mark) + "".join(_backend(*one) for one in backends)
    return {CONFIG: text, **pages.files(), **{name: _map(entries) for name, entries in maps(table).items()}}


def mark(files: Mapping[str, str]) -> str:
    """What tells whether a running router has read these files, but for what it can be told while it runs."""
    found = _MARK.search(files[CONFIG])
    return found[1] if found else ""


def certificates_of(files: Mapping[str, str]) -> str:
    """The folder of certificates that a configuration names; empty for none."""
    found = _CERTIFICATES.search(files[CONFIG])
    return found[1] if found else ""


def maps(table: RoutingTable) -> dict[str, dict[str, str]]:
    """What can change without a reload: file name → its entries."""
    return {
        MAINTENANCE: {route.app: pages.packed(route.maintenance) for route in table if route.maintenance},
        RATE: {route.app: str(_rate(route.max_rps)) for route in table if route.max_rps},
        BODY: {route.app: str(route.routing.max_body) for route in table if route.routing.max_body},
        TIMEOUT: {route.app: str(round(route.routing.timeout * 1000)) for route in table if route.routing.timeout},
        REDIRECT: {route.app: "1" for route in table if route.routing.redirect_https},
        HOSTS: hosts(table),
        SHARE: share(table),
        LIVE: live(table),
    }


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


def _head(key: str, listens: Sequence[str], tls: Tls | None, mark: str) -> str:
    return _HEAD.format(
        folder=FOLDER,
        sockets=SOCKETS,
        key=key,
        mark=mark,
        type=pages.TYPE,
        binds="\n".join(f"    bind {address}" for address in [*listens, *(tls.binds() if tls else ())]),
        redirect=tls.redirect() if tls else "",
        errors="\n".join(
            f"    http-error status {status} content-type {pages.TYPE} file {FOLDER}/{pages.name(status)}"
            for status in pages.ERRORS
        ),
    )


def _mark_of(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _rate(max_rps: float) -> int:
    """Whole requests a second, never fewer than were allowed."""
    return min(math.ceil(max_rps), RATE_LIMIT)


def _backend(route: AppRoute, slot: str) -> str:
    lines = [f"    server {_server(one)} {CHECK}" for one in route.servers.get(slot, ()) if not one.draining]
    return "\n".join([f"\nbackend {backend(route.app, slot)}", *lines, ""])


def _server(server: RouteServer) -> str:
    return f"{server.name} {server.address}:{server.port}"


def _map(entries: dict[str, str]) -> str:
    return "".join(f"{key} {value}\n" for key, value in sorted(entries.items()))
