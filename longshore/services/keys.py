"""Encryption keys: whether those at hand open what is stored."""

from sqlalchemy import select

from longshore.models import App
from longshore.services.context import Services


def prove(services: Services) -> None:
    """``PlatformError`` when they do not: better not to start than to fail at every deployment."""
    with services.db.read() as session:
        sealed = session.scalar(select(App.env).where(App.removed_at.is_(None)).order_by(App.id.desc()).limit(1))
    if sealed is not None:
        services.box.open(sealed)
