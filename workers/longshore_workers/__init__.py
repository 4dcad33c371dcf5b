"""Queue in, service call out: the Celery app, thin tasks, the beat schedule, the worker's heartbeat."""
