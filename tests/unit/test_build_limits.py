"""How much all builds together may use: what is written where, for both kinds of control groups."""

from pathlib import Path

import pytest

from longshore.adapters.builder.limits import BuildLimits
from longshore.adapters.engine import Connection
from longshore.settings import GiB, Settings

HERE, ELSEWHERE = "unix:///var/run/docker.sock", "tcp://10.0.0.9:2376"


@pytest.fixture
def limits(tmp_path):
    def make(host: str = HERE, **given) -> BuildLimits:
        settings = Settings(_env_file=None, home=tmp_path, **{"build_cpus": 1.5, "build_memory": GiB, **given})
        return BuildLimits(Connection(host), settings, tmp_path / "cgroup")

    return make


def written(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_on_version_one_each_controller_has_its_own_tree(limits, tmp_path):
    limits().apply()
    assert written(tmp_path / "cgroup") == {
        "memory/docker/buildkit/memory.limit_in_bytes": str(GiB),
        "cpu/docker/buildkit/cpu.cfs_period_us": "100000",
        "cpu/docker/buildkit/cpu.cfs_quota_us": "150000",
    }


def test_on_version_two_there_is_one_tree(limits, tmp_path):
    (tmp_path / "cgroup").mkdir()
    (tmp_path / "cgroup" / "cgroup.controllers").write_text("cpu memory")
    limits().apply()
    found = written(tmp_path / "cgroup")
    assert found["docker/buildkit/memory.max"] == str(GiB)
    assert found["docker/buildkit/cpu.max"] == "150000 100000"


def test_an_engine_elsewhere_is_not_limited_here_and_doctor_says_why(limits, tmp_path):
    ours = limits(ELSEWHERE)
    ours.apply()
    assert written(tmp_path / "cgroup") == {}
    assert "LONGSHORE_BUILD_CGROUP_PARENT" in ours.problem()


def test_a_named_group_is_the_operators_to_limit(limits, tmp_path):
    ours = limits(ELSEWHERE, build_cgroup_parent="builds.slice")
    ours.apply()
    assert written(tmp_path / "cgroup") == {}
    assert ours.problem() is None
    assert "builds.slice" in ours.text()


def test_what_cannot_be_written_stops_no_build(limits, tmp_path):
    (tmp_path / "cgroup").write_text("not a folder")
    limits().apply()


def test_by_default_a_quarter_of_the_host_stays_free(limits):
    ours = limits(build_cpus=0, build_memory=0)
    assert ours.limits.cpus >= 0.5
    assert ours.limits.memory > GiB
