"""The same things as rows. The only writers of state: ``move_to`` on deployments, jobs and replicas."""

from longshore.models.answer import KeptAnswer
from longshore.models.app import App
from longshore.models.base import Base, Database
from longshore.models.deployment import Deployment
from longshore.models.event import Event
from longshore.models.job import BuildStep, Job
from longshore.models.log import LogChunk
from longshore.models.one_off import OneOff
from longshore.models.release import Release
from longshore.models.replica import Replica
from longshore.models.run import Run, RunChunk
from longshore.models.token import Token
from longshore.models.volume import Volume
from longshore.models.worker import PartStatus, Worker

__all__ = [
    "App",
    "Base",
    "BuildStep",
    "Database",
    "Deployment",
    "Event",
    "Job",
    "KeptAnswer",
    "LogChunk",
    "OneOff",
    "PartStatus",
    "Release",
    "Replica",
    "Run",
    "RunChunk",
    "Token",
    "Volume",
    "Worker",
]
