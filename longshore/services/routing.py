"""What the router is to serve, read from rows."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from longshore.domain.names import ROUTE_SLOTS, WEB
from longshore.domain.ports import AppRoute, RouteServer, RoutingTable
from longshore.domain.states import ReplicaState
from longshore.models import App, Replica
from longshore.services.context import WorkerServices

Servers = dict[tuple[int, str], list[RouteServer]]  # by app and slot


def apply(worker: WorkerServices) -> None:
    """Make the router serve what the rows say."""
    worker.router.apply(lambda: table(worker))


def table(worker: WorkerServices) -> RoutingTable:
    """Every app with its host names, its live slot, and the replicas that stand in its two slots."""
    with worker.db.read() as session:
        apps = session.scalars(select(App).where(App.removed_at.is_(None)).order_by(App.name)).all()
        servers = _servers(session)
        return [
            AppRoute(
                app=app.name,
                domains=app.hosts,
                live=app.live_slot,
                servers={slot: tuple(servers.get((app.id, slot), ())) for slot in ROUTE_SLOTS},
                share=app.share,
                routing=app.rules,
                max_rps=app.max_rps,
                maintenance=app.maintenance,
            )
            for app in apps
            if _routed(app, servers)
        ]


def _routed(app: App, servers: Servers) -> bool:
    """Whether requests are for it at all, or stand on a replica of it still."""
    return any((app.id, slot) in servers for slot in ROUTE_SLOTS) or WEB in app.declared.runs


def _servers(session: Session) -> Servers:
    """Proven replicas, and leaving ones for as long as they may still hold requests; one query for all apps."""
    rows = session.scalars(
        select(Replica)
        .where(
            Replica.state.in_([ReplicaState.HEALTHY, ReplicaState.RESTING, ReplicaState.DRAINING]),
            Replica.process == WEB,
        )
        .order_by(Replica.id)
    )
    servers: Servers = {}
    for row in rows:
        servers.setdefault((row.app_id, row.route_slot), []).append(server_of(row))
    return servers


def server_of(replica: Replica) -> RouteServer:
    """A replica as the router knows it."""
    draining = replica.state in (ReplicaState.RESTING, ReplicaState.DRAINING)
    name = f"g{replica.generation}.{replica.process}.{replica.slot}"
    return RouteServer(name, replica.address, replica.port, draining)
