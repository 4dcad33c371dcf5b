"""A digest is written, and a volume comes and goes, on SQLite and on PostgreSQL."""

import pytest

from longshore.errors import ConflictError, NotFoundError
from longshore.services import apps, volumes
from longshore.testing import Behaviour


def test_a_failure_leaves_its_digest_and_its_volume(stack):
    stack.create(config={"volumes": {"data": {"path": "/data"}}})
    stack.deploy()
    stack.drive()
    stack.builder.behaviour = Behaviour(exit_code=1, output=("a\x00b \U0001f600", "KeyError: 'X'"))
    stack.deploy(env={"NEW": "value-of-eight"})
    stack.drive()
    digest = stack.show(2).digest
    assert digest.replicas[0].output[0].startswith("ab")
    assert digest.changes.env.added == ["NEW"]
    with pytest.raises(ConflictError):
        volumes.remove(stack.services, "hello", "data", confirm="data", actor="ann")
    apps.delete(stack.services, "hello")
    stack.drive()
    assert volumes.remove(stack.services, "hello", "data", confirm="data", actor="ann").state == "removing"
    stack.drive()
    assert stack.engine.stored == {}
    with pytest.raises(NotFoundError):
        volumes.show_all(stack.services, "hello", limit=5, cursor=None)
