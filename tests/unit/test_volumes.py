"""Volumes: made before what uses them, kept by everything, removed only by name and only when nothing uses them."""

import pytest

from longshore.domain.specs import Config, Volume
from longshore.errors import ConflictError, InvalidRequestError, NotFoundError, PartDownError, TransientError
from longshore.models import Event
from longshore.services import apps, sweeps, volumes

DATA = {"data": {"path": "/data"}}
ENGINE_NAME = "longshore.hello.data"


@pytest.fixture
def keeping(stack):
    """An app with a volume, served."""
    stack.create(config={"volumes": DATA, "replicas": 2})
    stack.deploy()
    stack.drive()
    return stack


def listed(stack, app: str = "hello"):
    return volumes.show_all(stack.services, app, limit=10, cursor=None).items


def remove(stack, app: str = "hello", name: str = "data"):
    return volumes.remove(stack.services, app, name, confirm=name, actor="ann")


def delete(stack, app: str = "hello"):
    view = apps.delete(stack.services, app)
    stack.drive()
    return view


@pytest.mark.parametrize("path", ["/data", "/var/lib/postgresql/data", "/etcetera", "/srv/my data"])
def test_a_path_that_is_clean_is_taken(path):
    assert Volume(path=path).path == path


WRONG = ("/", "", "data", "./data", "/data/", "//data", "/a/../etc", "/a/./b", "~/x", "/a:b", "/a,b", "/a\nb", "/a\0")
RESERVED = ("/proc", "/proc/1", "/sys", "/dev/shm", "/etc", "/etc/nginx")


@pytest.mark.parametrize("path", [*WRONG, *RESERVED, "/" + "a" * 300])
def test_a_path_that_leads_elsewhere_is_refused(path):
    with pytest.raises(ValueError, match="path"):
        Volume(path=path)


def test_two_volumes_have_two_paths():
    with pytest.raises(ValueError, match="one path"):
        Config.model_validate({"volumes": {"a": {"path": "/data"}, "b": {"path": "/data"}}})


def test_it_is_made_before_the_replicas_and_mounted_into_each(keeping):
    engine = keeping.engine
    (stored,) = engine.volumes({"longshore.app": "hello"})
    assert stored.name == ENGINE_NAME
    assert stored.labels == {"longshore.stack": "longshore", "longshore.app": "hello", "longshore.volume": "data"}
    did = [call for call in engine.calls if call[0] in ("ensure_volume", "start")]
    assert did[0] == ("ensure_volume", ENGINE_NAME)
    assert [engine.specs[name].volumes["/data"].name for name in engine.standing] == [ENGINE_NAME] * 2
    assert "volume.made" in keeping.events(1)


def test_it_is_kept_across_releases_and_when_replicas_are_removed(keeping):
    keeping.deploy()
    keeping.drive()
    assert list(keeping.engine.stored) == [ENGINE_NAME]
    assert [view.state for view in listed(keeping)] == ["present"]
    assert ("remove_volume", ENGINE_NAME) not in keeping.engine.calls


def test_deleting_an_app_keeps_it_and_says_so(keeping):
    assert delete(keeping).kept_volumes == ["data"]
    keeping.run_on(120)
    assert list(keeping.engine.stored) == [ENGINE_NAME]
    assert [(view.name, view.used_by) for view in listed(keeping)] == [("data", [])]


def test_a_later_app_of_that_name_has_it_again(keeping):
    delete(keeping)
    keeping.create(config={"volumes": DATA})
    keeping.deploy()
    keeping.drive()
    (view,) = listed(keeping)
    assert view.used_by[0] == "release 1, which is live"
    assert keeping.engine.specs[next(iter(keeping.engine.standing))].volumes["/data"].name == ENGINE_NAME


def test_another_app_has_another_one(keeping):
    keeping.create("other", config={"volumes": DATA})
    keeping.deploy("other")
    keeping.drive()
    assert sorted(keeping.engine.stored) == [ENGINE_NAME, "longshore.other.data"]
    assert [view.engine_name for view in listed(keeping, "other")] == ["longshore.other.data"]


def test_it_is_removed_by_name_when_nothing_uses_it(keeping):
    delete(keeping)
    assert remove(keeping).state == "removing"
    keeping.drive()
    assert keeping.engine.stored == {}
    with pytest.raises(NotFoundError):
        listed(keeping)
    with keeping.db.read() as session:
        told = [event.facts for event in session.query(Event) if event.kind.startswith("volume.remov")]
    assert told == [{"name": "data", "actor": "ann"}, {"name": "data"}]


def test_asking_twice_changes_nothing(keeping):
    delete(keeping)
    remove(keeping)
    assert remove(keeping).state == "removing"


@pytest.mark.parametrize("confirm", [None, "", "Data", "other"])
def test_its_name_must_be_confirmed(keeping, confirm):
    with pytest.raises(InvalidRequestError) as caught:
        volumes.remove(keeping.services, "hello", "data", confirm=confirm, actor="ann")
    assert caught.value.code == "not_confirmed"


@pytest.mark.parametrize(("app", "name"), [("hello", "other"), ("nobody", "data")])
def test_what_is_not_there_is_not_found(keeping, app, name):
    with pytest.raises(NotFoundError):
        remove(keeping, app, name)


def test_one_that_is_used_is_refused(keeping):
    with pytest.raises(ConflictError) as caught:
        remove(keeping)
    assert caught.value.code == "volume_in_use"
    assert "release 1, which is live" in caught.value.message


def test_one_that_a_waiting_deployment_wants_is_refused(keeping):
    keeping.deploy(config={"volumes": None})
    keeping.drive()
    assert listed(keeping)[0].used_by == []
    keeping.deploy(config={"volumes": DATA})
    assert listed(keeping)[0].used_by == ["hello#3"]
    with pytest.raises(ConflictError):
        remove(keeping)


def test_one_that_an_older_release_will_bring_back_is_refused(keeping):
    keeping.deploy(config={"volumes": None})
    keeping.drive()
    keeping.roll_back(1)
    assert listed(keeping)[0].used_by == ["hello#3"]


def test_one_of_an_app_that_is_just_being_deleted_is_refused(keeping):
    apps.delete(keeping.services, "hello")
    with pytest.raises(ConflictError) as caught:
        remove(keeping)
    assert "longshore.hello.g1.web.1" in caught.value.message


def test_a_worker_that_dies_leaves_the_removal_to_the_next_look(keeping, monkeypatch):
    delete(keeping)
    remove(keeping)
    monkeypatch.setattr("longshore.services.volumes._note_removed", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        sweeps.clean(keeping.worker)
    assert keeping.engine.stored == {}
    assert [view.state for view in listed(keeping)] == ["removing"]
    monkeypatch.undo()
    sweeps.clean(keeping.worker)
    with pytest.raises(NotFoundError):
        listed(keeping)


def test_an_engine_that_is_away_loses_nothing(keeping):
    delete(keeping)
    remove(keeping)
    keeping.engine.down = True
    with pytest.raises(PartDownError):
        sweeps.clean(keeping.worker)
    keeping.engine.down = False
    keeping.run_on(20)
    assert keeping.engine.stored == {}


def test_one_that_the_engine_refuses_is_tried_again_and_holds_up_nobody(keeping, monkeypatch):
    delete(keeping)
    remove(keeping)

    def refuse(volume):
        raise TransientError("still used", code="volume_in_use")

    monkeypatch.setattr(keeping.engine, "remove_volume", refuse)
    sweeps.clean(keeping.worker)
    assert [view.state for view in listed(keeping)] == ["removing"]
    monkeypatch.undo()
    sweeps.clean(keeping.worker)
    assert keeping.engine.stored == {}


def test_a_deployment_waits_for_a_removal_and_gets_a_new_one(keeping):
    delete(keeping)
    remove(keeping)
    keeping.queue.lose_all()
    keeping.create(config={"volumes": DATA})
    keeping.deploy()
    keeping.run_on(30)
    assert keeping.show(1).state == "succeeded"
    did = [call for call in keeping.engine.calls if "volume" in call[0]]
    assert [call[0] for call in did] == ["ensure_volume", "remove_volume", "ensure_volume"]
    assert len(listed(keeping)) == 1


def test_an_unknown_app_has_no_list(stack):
    with pytest.raises(NotFoundError):
        listed(stack)
    stack.create()
    assert listed(stack) == []
