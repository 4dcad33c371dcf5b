"""Asked twice, done once: what a request with an Idempotency-Key is answered, kept together with what it did.

The row is written in the transaction of the deed itself, so whoever repeats a request finds both or neither, also when
the process died between its commit and its answer. Of two with one key at the same moment the database lets one in.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from pydantic import BaseModel
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from longshore.errors import ConflictError, UnprocessableError
from longshore.models import KeptAnswer
from longshore.services.context import Services


@dataclass(frozen=True)
class Ask:
    """A request that may be repeated: who asks, under which key, and a digest of what."""

    holder: str
    key: str
    fingerprint: str


_present: ContextVar[Ask | None] = ContextVar("present_ask", default=None)


@contextmanager
def asking(ask: Ask) -> Iterator[None]:
    """What is done inside is done for this request."""
    before = _present.set(ask)
    try:
        yield
    finally:
        _present.reset(before)


def keep(services: Services, session: Session, view: BaseModel) -> None:
    """Write down the answer to the present request, in the transaction that did what it asks for.

    Every use case that a POST leads to calls this once, at the end of its transaction. Does nothing for a request
    without a key, and outside of requests.
    """
    ask = _present.get()
    if ask is None:
        return
    session.flush()  # what the deed itself breaks must not look like a key that is taken
    answer = {
        "holder": ask.holder,
        "key": ask.key,
        "fingerprint": ask.fingerprint,
        "answer": services.box.seal({"body": view.model_dump_json()}),
        "created_at": services.clock.now(),
    }
    try:
        session.execute(insert(KeptAnswer).values(answer))
    except IntegrityError as error:
        hint = "Send it again to get that answer."
        raise ConflictError("the same request was answered meanwhile", code="answered", hint=hint) from error


def kept(services: Services, ask: Ask) -> str | None:
    """The JSON this request was answered with before; ``UnprocessableError`` if its key came with another one."""
    same_key = select(KeptAnswer).where(KeptAnswer.holder == ask.holder, KeptAnswer.key == ask.key)
    with services.db.read() as session:
        row = session.scalar(same_key)
    if row is None:
        return None
    if row.fingerprint != ask.fingerprint:
        raise UnprocessableError(
            "this Idempotency-Key was sent before, with another request",
            code="key_reused",
            hint="Send a new key with a new request, and a key again only to repeat the very same request.",
        )
    return services.box.open(row.answer)["body"]
