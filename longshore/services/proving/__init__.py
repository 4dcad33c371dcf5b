"""Proving replicas: probe, watch whether they still run, explain what went wrong. All of them, or nothing."""

from longshore.services.proving.candidate import Candidate
from longshore.services.proving.output import keep_output
from longshore.services.proving.probes import accepted
from longshore.services.proving.running import still_running
from longshore.services.proving.together import prove, prove_all

__all__ = ["Candidate", "accepted", "keep_output", "prove", "prove_all", "still_running"]
