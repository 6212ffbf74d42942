"""docker-compose.yaml is valid, and has every part that the one-machine stack has."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from nightshift.cluster.plan import BACKLOG, NIGHT
from nightshift.settings import load_survey
from nightshift.stack.home import Home, Kind
from nightshift.stack.machine import Machine, Outside
from nightshift.stack.ports import Ports

FILE = Path(__file__).resolve().parents[3] / "docker-compose.yaml"
EMBEDDED_ONLY = {"broker"}  # librdkafka's mock cluster; here it is Kafka


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load(FILE.read_text())


def test_every_part_of_one_machine_has_its_container(compose, tmp_path):
    home = Home(tmp_path / "demo")
    home.make(Kind.REPLAY)
    parts = {part.name for part in Machine(load_survey("demo"), home, Ports(), Outside()).parts()}
    assert parts - EMBEDDED_ONLY <= set(compose["services"])


def test_the_containers_know_all_that_the_parts_of_one_machine_know(compose, tmp_path):
    home = Home(tmp_path / "demo")
    home.make(Kind.REPLAY)
    home.postgres.mkdir()
    (home.postgres / "password").write_text("x")
    wanted = {key for key in Machine(load_survey("demo"), home, Ports(), Outside()).environment()
              if key.startswith("NIGHTSHIFT_")}  # fmt: skip
    assert wanted - {"NIGHTSHIFT_CLOCK"} <= set(compose["x-environment"])


def test_the_cluster_has_the_nodes_and_partitions_that_one_machines_cluster_has(compose):
    text = (FILE.parent / "deploy" / "slurm" / "slurm.conf").read_text()
    nodes = re.search(r"^NodeName=node-\[1-(\d)\]", text, re.MULTILINE)
    assert {f"node-{number + 1}" for number in range(int(nodes[1]))} <= set(compose["services"])
    assert set(re.findall(r"^PartitionName=(\w+)", text, re.MULTILINE)) == {NIGHT, BACKLOG}
    for name in ("Prolog", "TaskProlog", "Epilog"):
        script = Path(re.search(rf"^{name}=(.*)$", text, re.MULTILINE)[1])
        assert (FILE.parent / "deploy" / "slurm" / script.name).exists()


def test_no_secret_is_written_down(compose):
    for key, value in compose["x-environment"].items():
        if re.search(r"SECRET|FERNET|PASSWORD$", key):
            assert value.startswith("${"), key
    assert not re.search(r"://[^:/${\s]+:[^$@\s]+@", FILE.read_text())


def test_every_image_has_a_version_or_is_built_here(compose):
    for name, service in compose["services"].items():
        assert "build" in service or ":" in service["image"], name


def test_docker_compose_itself_accepts_the_file():
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not installed: only the YAML was checked")
    environment = {**os.environ, **dict.fromkeys(re.findall(r"\$\{(\w+):\?", FILE.read_text()), "x")}
    done = subprocess.run(
        [docker, "compose", "-f", str(FILE), "config", "-q"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
