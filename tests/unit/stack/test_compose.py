"""docker-compose.yaml is valid, has every part that the one-machine stack has, and names nothing that is not there.

No container is started: what can be known without one is held here.
"""

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest
import yaml

from nightshift.settings import load_deployment
from nightshift.stack.home import Home, Kind
from nightshift.stack.machine import Machine, Outside
from nightshift.stack.ports import Ports
from nightshift.stack.service_names import MAIL_LOGIN, SEND_MAIL
from rehearsal.cluster.cluster_plan import BACKLOG, NIGHT

FILE = Path(__file__).resolve().parents[3] / "docker-compose.yaml"
ROOT = FILE.parent
POM = ROOT / "deploy" / "kafka" / "pom.xml"
SERVICES = yaml.safe_load(FILE.read_text())["services"]
OWN = {name: service for name, service in SERVICES.items() if service["image"] == "nightshift"}
EMBEDDED_ONLY = {"broker"}  # librdkafka's mock cluster; here it is Kafka


ASK_AIRFLOW = """
import json, sys
from airflow.cli.cli_parser import get_parser
from airflow.configuration import conf
for command in json.loads(sys.argv[1]):
    get_parser().parse_args(command)
described = conf.configuration_description.items()
print(json.dumps([f"AIRFLOW__{section}__{key}".upper() for section, has in described for key in has["options"]]))
"""


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load(FILE.read_text())


def test_kafka_is_of_one_version_in_the_container_and_on_one_machine(compose):
    version = compose["services"]["kafka"]["image"].rpartition(":")[2]
    wanted = re.findall(r"<artifactId>kafka_(.+)</artifactId>\s*<version>(.+)</version>", POM.read_text())
    assert [number for _, number in wanted] == [version]
    files = [line.split()[1] for line in POM.with_name("jars.sha256").read_text().splitlines()]
    assert f"kafka_{wanted[0][0]}-{version}.jar" in files


def test_every_part_of_one_machine_has_its_container(compose, tmp_path):
    home = Home(tmp_path / "demo")
    home.make(Kind.REPLAY)
    parts = {part.name for part in Machine(load_deployment("demo"), home, Ports(), Outside()).parts()}
    assert parts - EMBEDDED_ONLY <= set(compose["services"])


def test_the_containers_know_all_that_the_parts_of_one_machine_know(compose, tmp_path):
    home = Home(tmp_path / "demo")
    home.make(Kind.REPLAY)
    home.postgres.mkdir()
    (home.postgres / "password").write_text("x")
    wanted = {key for key in Machine(load_deployment("demo"), home, Ports(), Outside()).environment()
              if key.startswith("NIGHTSHIFT_")}  # fmt: skip
    assert wanted - {"NIGHTSHIFT_CLOCK", "NIGHTSHIFT_ALERT_KEY", *MAIL_LOGIN} <= set(compose["x-environment"])


def test_the_cluster_has_the_nodes_and_partitions_that_one_machines_cluster_has(compose):
    text = (FILE.parent / "deploy" / "slurm" / "slurm.conf").read_text()
    nodes = re.search(r"^NodeName=node-\[1-(\d)\]", text, re.MULTILINE)
    assert {f"node-{number + 1}" for number in range(int(nodes[1]))} <= set(compose["services"])
    assert set(re.findall(r"^PartitionName=(\w+)", text, re.MULTILINE)) == {NIGHT, BACKLOG}
    for name in ("Prolog", "TaskProlog", "Epilog"):
        script = Path(re.search(rf"^{name}=(.*)$", text, re.MULTILINE)[1])
        assert (FILE.parent / "deploy" / "slurm" / script.name).exists()


def test_no_secret_is_written_down(compose):
    known = [compose["x-environment"], *(service.get("environment", {}) for service in compose["services"].values())]
    for key, value in (entry for environment in known for entry in environment.items()):
        if re.search(r"SECRET|FERNET|PASSWORD$", key) and key != "MARIADB_RANDOM_ROOT_PASSWORD":
            assert value.startswith("${"), key
    assert not re.search(r"://[^:/${\s]+:[^$@\s]+@", FILE.read_text())


def test_only_the_part_that_sends_mail_has_the_login_of_the_mail_account(compose):
    having = {name for name, service in OWN.items() if set(MAIL_LOGIN) & set(service["environment"])}
    assert having == set(SEND_MAIL)
    assert all({*MAIL_LOGIN, *compose["x-environment"]} <= set(OWN[name]["environment"]) for name in SEND_MAIL)


def instructions():
    """The Dockerfile's instructions, each with its arguments."""
    text = (ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def stages():
    """What each stage of the Dockerfile is made from, by its name."""
    found = (re.fullmatch(r"(\S+) AS (\S+)", rest) for word, rest in instructions() if word == "FROM")
    return {match[2]: match[1] for match in found}


def test_every_image_is_of_one_release_or_built_here_from_such(compose):
    pinned = re.compile(r"[a-z/]+:\d+\.\d+(\.\d+)?(-[a-z-]+)?")
    for name, service in compose["services"].items():
        if build := service.get("build"):
            assert (ROOT / build["context"] / build["dockerfile"]).is_file(), name
            assert build["target"] == service["image"] and build["target"] in stages(), name
        else:
            assert pinned.fullmatch(service["image"]), name
    for source in stages().values():
        assert source in stages() or pinned.fullmatch(source), source


def test_what_the_image_copies_is_there_and_all_that_runs_is_copied():
    copied = [shlex.split(rest) for word, rest in instructions() if word == "COPY"]
    for *sources, _ in copied:
        for source in sources:
            assert list(ROOT.glob(source)), source
    places = {source for *sources, _ in copied for source in sources}
    assert {"nightshift", "reduction", "operators", "dags", "plugins", "sql", "config"} <= places
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not places & set(ignored) and ".env" in ignored
    assert ".env" in (ROOT / ".gitignore").read_text().split()


@pytest.mark.parametrize("name", [name for name, service in OWN.items() if service["command"][0] == "python"])
def test_each_part_of_ours_runs_a_module_that_takes_its_options(name):
    _, flag, module, *arguments = OWN[name]["command"]
    assert flag == "-m" and importlib.util.find_spec(module) is not None
    done = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True)
    for word in (word.partition("=")[0] for word in arguments if word.startswith("--")):
        assert word in done.stdout


def test_airflow_takes_the_commands_and_the_settings_that_it_is_given(compose, tmp_path):
    commands = [service["command"][1:] for service in OWN.values() if service["command"][0] == "airflow"]
    asked = [sys.executable, "-c", ASK_AIRFLOW, json.dumps([*commands, ["db", "migrate"]])]
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run(asked, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and len(commands) == 4, done.stderr
    known = json.loads(done.stdout.splitlines()[-1])
    assert {name for name in compose["x-environment"] if name.startswith("AIRFLOW__")} <= set(known)


def test_each_machine_of_the_cluster_starts_a_daemon_that_its_script_knows():
    folder = ROOT / "deploy" / "slurm"
    for script in folder.glob("*.sh"):
        subprocess.run(["sh", "-n", script], check=True)
    known = re.findall(r"^(\w+)\)$", (folder / "start.sh").read_text(), re.MULTILINE)
    asked = [service["command"] for service in SERVICES.values() if service["image"] == "nightshift-slurm"]
    assert {(name,) for name in known} == set(map(tuple, asked))


def test_who_is_waited_for_says_when_it_is_ready(compose):
    of_the_image = {"postgres": "pg_isready", "mariadb": "healthcheck.sh"}
    waited = {
        name for service in compose["services"].values() if isinstance(needs := service.get("depends_on", {}), dict)
        for name, condition in needs.items() if condition == {"condition": "service_healthy"}
    }  # fmt: skip
    checked = {name: service for name, service in compose["services"].items() if "healthcheck" in service}
    assert waited == set(checked)
    for service in checked.values():
        kind, command, *_ = service["healthcheck"]["test"]
        assert (kind, command) == ("CMD", of_the_image[service["image"].partition(":")[0]])


def test_the_first_part_prepares_all_that_the_others_need(compose):
    shell, flags, script = OWN["migrate"]["command"]
    assert (shell, flags) == ("sh", "-ec")
    lines = [line for line in script.splitlines() if not line.startswith("#")]
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
    assert {line.split()[0] for line in lines} <= {"mkdir", "install", "nightshift", "airflow"}
    for line in (line for line in lines if line.startswith("nightshift ")):
        nightshift = subprocess.run([sys.executable, "-m", "nightshift.command_line", *line.split()[1:], "--help"])
        assert nightshift.returncode == 0
    environment, known = compose["x-environment"], re.findall(r"\$\$(\w+)", script)
    assert set(known) <= set(environment)
    made = {environment[variable] for variable in known}
    folders = ("NIGHTSHIFT_DEPOT", "NIGHTSHIFT_INBOX", "NIGHTSHIFT_SPOOL", "AIRFLOW_HOME")
    assert {environment[name] for name in folders} <= made
    accounts = PurePosixPath(environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    assert str(accounts) in made and str(accounts.parent) in made, "Airflow opens it to write"
    for name, service in OWN.items():
        if name != "migrate":
            assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_the_page_has_an_account_for_each_of_its_users(compose):
    accounts = json.loads(compose["configs"]["accounts"]["content"])
    users = compose["x-environment"]["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"]
    assert {user.split(":")[0] for user in users.split(",")} == set(accounts)
    assert all(re.fullmatch(r"\$\{NIGHTSHIFT_\w+_PASSWORD:\?set it\}", word) for word in accounts.values())


def test_every_variable_of_ours_that_is_passed_is_one_that_is_read(compose):
    passed = {name for name in compose["x-environment"] if name.startswith("NIGHTSHIFT_")}
    sources = [path for folder in ("nightshift", "operators", "plugins") for path in (ROOT / folder).rglob("*.py")]
    read = set(re.findall(r"NIGHTSHIFT_[A-Z_]+", "\n".join(path.read_text() for path in sources)))
    assert passed <= read


def test_every_mount_is_declared_and_holds_what_the_parts_are_told(compose):
    for name, service in compose["services"].items():
        for mount in service.get("volumes", ()):
            volume, target = mount.split(":")
            assert volume in compose["volumes"] and PurePosixPath(target).is_absolute(), name
        for config in service.get("configs", ()):
            assert config["source"] in compose["configs"], name
    data = PurePosixPath(OWN["pool"]["volumes"][0].split(":")[1])
    for variable, value in compose["x-environment"].items():
        if str(value).startswith("/"):
            inside, code = PurePosixPath(value).is_relative_to(data), PurePosixPath("/srv/nightshift")
            assert inside or (ROOT / PurePosixPath(value).relative_to(code)).is_dir(), variable
    for service in OWN.values():
        for word in map(str, service["command"]):
            if folder := re.fullmatch(r"(--folder=)?(/.*)", word):
                assert PurePosixPath(folder[2]).is_relative_to(data)


def test_the_page_says_every_variable_that_must_be_set(compose):
    required = set(re.findall(r"\$\{(\w+):\?", FILE.read_text()))
    page = (ROOT / "docs" / "compose.md").read_text()
    assert required == set(re.findall(r"^ +echo (NIGHTSHIFT_\w+)=", page, re.MULTILINE))
    assert all(f"#   {name} " in FILE.read_text() for name in required)


def test_docker_compose_itself_accepts_the_file():
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not installed: only the YAML was checked")
    environment = {**os.environ, **dict.fromkeys(re.findall(r"\$\{(\w+):\?", FILE.read_text()), "x")}
    done = subprocess.run(
        [docker, "compose", "-f", str(FILE), "config", "-q"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
