"""Replicas: their rows are written, with name and address, before a container is made."""

import ipaddress
from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from longshore.domain.names import WEB, container_name, other_route_slot
from longshore.domain.ports import Network
from longshore.domain.states import ReplicaState
from longshore.errors import AppError, PlatformError
from longshore.models import Deployment, OneOff, Release, Replica
from longshore.models.base import one_at_a_time
from longshore.services.apps import find
from longshore.services.context import Services
from longshore.services.pages import Page, page
from longshore.services.releases import port_of
from longshore.services.views import ReplicaView, replica_view

ADDRESSES_LOCK = 0x61646472  # "addr": two apps must not draw one address at the same moment


def reserve(services: Services, session: Session, deployment: Deployment, network: Network) -> list[Replica]:
    """The rows of this deployment's replicas: those that are there, or new ones with free addresses."""
    there = of(session, deployment.id)
    if there:
        return there
    release, app = deployment.release, deployment.app
    if release is None or deployment.generation is None:
        raise PlatformError(f"{deployment.label} has no release to start", code="no_release")
    wanted = [(name, slot) for name, one in release.declared.runs.items() for slot in range(1, (one.replicas or 0) + 1)]
    if not wanted:
        raise AppError(f"{app.name} has no process to run", code="nothing_runs", hint=f"Set replicas of {WEB} to 1.")
    deployment.route_slot = other_route_slot(app.live_slot)
    one_at_a_time(session, ADDRESSES_LOCK)
    addresses = free_addresses(session, network)
    rows = [_new(services, deployment, release, process, slot, next(addresses)) for process, slot in wanted]
    session.add_all(rows)
    return rows


def _new(
    services: Services, deployment: Deployment, release: Release, process: str, slot: int, address: str
) -> Replica:
    generation = deployment.generation or 0
    return Replica(
        app=deployment.app,
        deployment=deployment,
        release=release,
        generation=generation,
        process=process,
        slot=slot,
        route_slot=deployment.route_slot,
        name=container_name(services.settings.stack, deployment.app.name, generation, process, slot),
        address=address,
        port=port_of(release, process),
        created_at=services.clock.now(),
    )


def free_addresses(session: Session, network: Network) -> Iterator[str]:
    """Addresses nobody has, going round from the one given last: one just freed is not given again at once."""
    taken = set(session.scalars(select(Replica.address).where(Replica.state != ReplicaState.REMOVED)))
    taken.update(session.scalars(select(OneOff.address).where(OneOff.removed_at.is_(None))))
    taken.update(network.reserved)
    hosts = ipaddress.ip_network(network.subnet)
    first, last = int(hosts.network_address) + 1, int(hosts.broadcast_address) - 1
    newest = session.scalar(select(Replica.address).order_by(Replica.id.desc()).limit(1))
    start = int(ipaddress.ip_address(newest)) + 1 if newest and ipaddress.ip_address(newest) in hosts else first
    count = last - first + 1
    for step in range(count):
        address = str(ipaddress.ip_address(first + (start - first + step) % count))
        if address not in taken:
            yield address
    raise PlatformError(
        f"the stack's network {network.subnet} has no free address left",
        code="no_address",
        hint="Fewer replicas, or a stack of its own for some apps.",
    )


def of(session: Session, deployment_id: int) -> list[Replica]:
    """The replicas of a deployment, in their order."""
    query = select(Replica).where(Replica.deployment_id == deployment_id).order_by(Replica.id)
    return list(session.scalars(query.options(joinedload(Replica.release))))


def draining(session: Session, app_id: int) -> list[Replica]:
    """The losing side: what is to be removed of an app."""
    query = select(Replica).where(Replica.app_id == app_id, Replica.state == ReplicaState.DRAINING)
    return list(session.scalars(query.order_by(Replica.id).options(joinedload(Replica.app))))


def show_all(services: Services, app_name: str, *, limit: int, cursor: str | None) -> Page:
    """The replicas an app has now, newest first. ``live`` ones are what the router leads to."""
    with services.db.read() as session:
        app = find(session, app_name)

        def view(replica: Replica) -> ReplicaView:
            live = replica.state is ReplicaState.HEALTHY and replica.route_slot == app.live_slot
            return replica_view(replica, live)

        query = (
            select(Replica)
            .where(Replica.app_id == app.id, Replica.state != ReplicaState.REMOVED)
            .options(joinedload(Replica.release))
        )
        return page(session, query, Replica.id, view, limit=limit, cursor=cursor)
