"""The environment of an app: its names for everybody who may look, its values only on request, and never unseen."""

from pydantic import BaseModel

from longshore.services import apps
from longshore.services.context import Services


class EnvView(BaseModel):
    """The variables of an app. ``values`` is null unless they were asked for."""

    app: str
    keys: list[str]
    values: dict[str, str] | None = None


def show(services: Services, app_name: str) -> EnvView:
    """The names."""
    with services.db.read() as session:
        return EnvView(app=app_name, keys=sorted(services.box.open(apps.find(session, app_name).env)))


def reveal(services: Services, app_name: str, actor: str) -> EnvView:
    """The values too. Who looked is written down before they are told."""
    with services.db.write() as session:
        app = apps.find(session, app_name)
        values = services.box.open(app.env)
        apps.tell(services, session, app, "env.revealed", actor=actor, keys=sorted(values))
    return EnvView(app=app_name, keys=sorted(values), values=values)
