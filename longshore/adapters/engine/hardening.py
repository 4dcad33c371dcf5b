"""What a deployed container may not do, unless its app says otherwise."""

from typing import Any

import docker
from docker.types import LogConfig

from longshore.adapters.engine.volumes import as_mounts
from longshore.domain.ports import ContainerSpec

# Not all capabilities: images that chown and then give up root at their start need the rest.
DROPPED = ["NET_RAW", "MKNOD", "AUDIT_WRITE", "SYS_CHROOT", "SETPCAP", "SETFCAP"]


def host_config(client: docker.APIClient, spec: ContainerSpec) -> Any:
    """Limits and restrictions. Nothing restarts it until it is proven: a crash loop must look like a crash."""
    resources = spec.resources
    return client.create_host_config(
        init=True,  # without it a Python program as PID 1 ignores SIGTERM and every stop lasts the whole grace
        security_opt=["no-new-privileges:true"],
        cap_drop=["ALL"] if spec.capabilities == "none" else DROPPED,
        read_only=spec.read_only,
        tmpfs={"/tmp": "rw,nosuid,nodev"} if spec.read_only else None,  # noqa: S108 - inside the container
        pids_limit=resources.pids,
        mem_limit=resources.memory,
        memswap_limit=resources.memory,  # equal: no swap on top
        nano_cpus=int(resources.cpus * 1e9) if resources.cpus else None,
        mounts=as_mounts(spec.volumes),
        restart_policy={"Name": "no"},
        log_config=LogConfig(type=LogConfig.types.JSON, config={"max-size": "10m", "max-file": "3"}),
    )
