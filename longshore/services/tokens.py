"""Tokens: made, listed, revoked, recognised."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from sqlalchemy import delete, select, update

from longshore.errors import ConflictError, NotFoundError, UnauthenticatedError
from longshore.models import Token
from longshore.services import idempotency
from longshore.services.context import Services
from longshore.services.pages import Page, page
from longshore.services.views import TokenView, new_token_view, token_view

MARK = "lsh"
LAST_USED_EVERY = timedelta(minutes=1)


class Scope(IntEnum):
    """What a token may do; each includes the ones before it."""

    READ = 1
    DEPLOY = 2
    ADMIN = 3


@dataclass(frozen=True)
class Caller:
    """Who is asking: the token's name, what it may do, and the one app it is for (``None``: all).

    ``prefix`` tells tokens of one name apart: a revoked one, and the one made in its place.
    """

    name: str
    scope: Scope
    app: str | None
    prefix: str

    def may(self, scope: Scope) -> bool:
        """Whether the scope suffices."""
        return self.scope >= scope

    def sees(self, app: str) -> bool:
        """Whether the app exists as far as this caller is concerned."""
        return self.app in (None, app)


def create(
    services: Services, name: str, scope: Scope, *, app: str | None = None, days: int | None = None
) -> tuple[TokenView, str]:
    """Make a token; its text is shown this once. ``ConflictError`` when the name is taken."""
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    text = f"{MARK}_{prefix}_{secret}"
    now = services.clock.now()
    with services.db.write() as session:
        if session.scalar(select(Token.id).where(Token.name == name)):
            raise ConflictError(f"a token named {name} exists already", hint="Choose another name, or revoke that one.")
        row = Token(
            name=name,
            prefix=prefix,
            digest=_digest(text),
            scope=scope.name.lower(),
            app=app,
            created_at=now,
            expires_at=now + timedelta(days=days) if days else None,
        )
        session.add(row)
        session.flush()
        view = token_view(row)
        idempotency.keep(services, session, new_token_view(view, text))
    return view, text


def renew(services: Services, name: str) -> str:
    """A new admin token of this name, in the place of one whose text was lost."""
    with services.db.write() as session:
        session.execute(delete(Token).where(Token.name == name))
    return create(services, name, Scope.ADMIN)[1]


def valid(services: Services, text: str) -> bool:
    """Whether this text opens anything."""
    try:
        recognise(services, text)
    except UnauthenticatedError:
        return False
    return True


def show_all(services: Services, *, limit: int, cursor: str | None) -> Page:
    """All tokens, newest first, without their secrets."""
    with services.db.read() as session:
        return page(session, select(Token), Token.id, token_view, limit=limit, cursor=cursor)


def revoke(services: Services, name: str) -> None:
    """From now on this token opens nothing."""
    with services.db.write() as session:
        gone = session.execute(delete(Token).where(Token.name == name).returning(Token.id)).scalar()
    if gone is None:
        raise NotFoundError(f"there is no token named {name}", hint="`longshore token list` shows them.")


def recognise(services: Services, text: str) -> Caller:
    """Who this text belongs to; ``UnauthenticatedError`` for an unknown, revoked or expired one."""
    now = services.clock.now()
    with services.db.read() as session:
        row = session.scalar(select(Token).where(Token.prefix == _prefix(text)))
    known = row.digest if row else _digest("")
    fits = hmac.compare_digest(known, _digest(text))
    if row is None or not fits or (row.expires_at and row.expires_at <= now):
        raise UnauthenticatedError(
            "this token is not valid",
            hint="Send `Authorization: Bearer <token>`; the first one is in the file admin-token in the home.",
        )
    _note_use(services, row, now)
    return Caller(row.name, Scope[row.scope.upper()], row.app, row.prefix)


def _prefix(text: str) -> str:
    parts = text.split("_", 2)
    return parts[1][:16] if len(parts) == 3 and parts[0] == MARK else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _note_use(services: Services, row: Token, now: datetime) -> None:
    if row.last_used_at and now - row.last_used_at < LAST_USED_EVERY:
        return
    with services.db.write() as session:
        session.execute(update(Token).where(Token.id == row.id).values(last_used_at=now))
