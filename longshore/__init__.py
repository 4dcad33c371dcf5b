"""Longshore: build, push, deploy, health-check and watch containers."""

__version__ = "0.1.0"
