"""A broker for one machine that keeps what it took: Apache Kafka, as one node in a folder.

It needs Java and the files that ``make kafka`` fetches. An acknowledged alert is on disk, for a week, and is there
again after the node was killed or the machine lost power; the embedded broker (`mock_broker`), which
needs neither, keeps nothing.
"""

import argparse
import base64
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

from nightshift.files import write_whole
from nightshift.loopback import LOOPBACK, free_ports, listens

__all__ = ["jars_folder", "main", "missing", "prepare"]

JARS_VARIABLE = "NIGHTSHIFT_KAFKA_JARS"
PROJECT = Path(__file__).resolve().parents[2]
HEAP_MB = 256
JAVA, FILE = 17, "server.properties"
# Of one node alone nobody else has a copy: what it acknowledges is on disk (fsync). It is the only controller, too.
# Its store is named from its own folder, in which it runs: such a file takes no comma in a name, and only Latin-1.
SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
log.dirs=data
log.flush.interval.messages=1
log.retention.hours=168
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""


def jars_folder() -> Path:
    """Return where Kafka's files are: ``NIGHTSHIFT_KAFKA_JARS``, or where ``make kafka`` puts them."""
    return Path(os.environ.get(JARS_VARIABLE) or PROJECT / ".kafka").resolve()


def missing() -> str:
    """Return what this machine lacks to run Kafka, and how it comes by it; nothing where it has all."""
    if (found := _java_version()) < JAVA:
        had = f"this one is {found}" if found else "there is none"
        return f"Kafka needs Java {JAVA} or newer, and {had} (Debian: apt install openjdk-{JAVA}-jre-headless)"
    if not any(jars_folder().glob("kafka_*.jar")):
        return f"there is no Kafka in {jars_folder()}: `make kafka` fetches it"
    if os.pathsep in str(jars_folder()):
        return f"Java cannot read files from {jars_folder()}: a {os.pathsep!r} separates folders there"
    return ""


def _java_version() -> int:
    """Return the first number of the version of the Java on the path, 0 where there is none."""
    program = shutil.which("java")
    if not program:
        return 0
    said = subprocess.run([program, "-version"], capture_output=True, text=True, errors="replace", check=False)
    number = re.search(r'version "(\d+)', said.stderr + said.stdout)
    return int(number[1]) if number else 0


def prepare(folder: Path) -> str:
    """Write the node's settings, and make its store where there is none.

    Parameters
    ----------
    folder : Path
        The node's own; what it keeps is in it.

    Returns
    -------
    str
        Where it will answer, ``host:port``: where it did before, if that is free.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = folder / "ports"
    ports = [int(text) for text in known.read_text().split()] if known.exists() else []
    if len(ports) != 2 or any(listens(port) for port in ports):
        ports = free_ports(2)
        write_whole(known, f"{ports[0]} {ports[1]}\n".encode())
    write_whole(folder / FILE, SETTINGS.format(host=LOOPBACK, port=ports[0], controller=ports[1]).encode())
    if not (folder / "data" / "meta.properties").exists():
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        name = f"--cluster-id={cluster}"  # in one argument, as it may begin with a minus sign
        store = [*_java("kafka.tools.StorageTool"), "format", "--ignore-formatted", name, "-c", FILE]
        subprocess.run(store, check=True, stdout=subprocess.DEVNULL, cwd=folder, env=_environment())
    return f"{LOOPBACK}:{ports[0]}"


def _java(program: str) -> list[str]:
    """Return the command of one of Kafka's programs."""
    return [
        shutil.which("java") or "java", f"-Xmx{HEAP_MB}m", "-XX:+UseSerialGC",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
        "-cp", f"{jars_folder()}/*", program,
    ]  # fmt: skip


def _environment() -> dict[str, str]:
    """Return the environment for Java, which reads the names of folders in the locale's encoding."""
    return {**os.environ, "LC_ALL": "C.UTF-8"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Become the node: this process is Kafka's from then on, and ends as it does (SIGTERM)."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.stand_ins.single_node_kafka", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where it keeps what it took")
    parser.add_argument("--address-file", type=Path, required=True, help="where its address is written")
    options = parser.parse_args(arguments)
    if lack := missing():
        print(lack, file=sys.stderr)
        return 1
    folder = options.folder.resolve()
    address = prepare(folder)
    write_whole(options.address_file, f"{address}\n".encode())  # and no name of a stand-in: this broker keeps
    command = [*_java("kafka.Kafka"), FILE]
    os.chdir(folder)
    os.execve(command[0], command, _environment())  # noqa: S606


if __name__ == "__main__":
    raise SystemExit(main())
