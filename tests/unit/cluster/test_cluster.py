"""The cluster in a folder: what it needs, what it says when that is not there, and who can reach it."""

import ipaddress
import json
import socket
import subprocess

import pytest

from nightshift.command_line import main
from nightshift.errors import NeedsOperator
from rehearsal.cluster import Cluster, ClusterPlan


def test_what_is_not_installed_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setattr("rehearsal.cluster.cluster.PATH", str(tmp_path))
    with pytest.raises(NeedsOperator, match=r"apt install .*mariadb-server.*slurmctld"):
        Cluster(tmp_path / "cluster").up()
    assert not (tmp_path / "cluster").exists()


def test_where_there_is_no_cluster_the_command_says_how_to_make_one(tmp_path, capsys):
    assert main(["cluster", "status", "--folder", str(tmp_path)]) != 0
    assert "nightshift cluster up" in capsys.readouterr().err
    assert main(["cluster", "down", "--folder", str(tmp_path)]) == 0


def test_a_folder_that_slurm_could_not_read_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("rehearsal.cluster.cluster.missing_programs", lambda **_: ())
    with pytest.raises(NeedsOperator, match="blank"):
        Cluster(tmp_path / "my cluster", ClusterPlan(accounting=False)).up()


@pytest.mark.integration
def test_every_daemon_listens_on_the_machines_own_address_alone(slurm_cluster):
    own = {ipaddress.ip_address(socket.gethostbyname(socket.gethostname())), ipaddress.ip_address("127.0.0.1")}
    for name, daemon in slurm_cluster.daemons.items():
        addresses = {c.laddr.ip for c in daemon.process().net_connections("inet") if c.status == "LISTEN"}
        assert addresses, name
        assert {ipaddress.ip_address(address) for address in addresses} <= own, name


@pytest.mark.integration
@pytest.mark.parametrize("user", ["root", "slurm", "somebody"])
def test_nobody_enters_the_database_without_its_password(slurm_cluster, user):
    port = json.loads((slurm_cluster.folder / "cluster.json").read_text())["ports"]["mariadb"]
    where = ("--protocol=tcp", "-h", "127.0.0.1", "-P", str(port), "-u", user)
    done = subprocess.run(["mariadb", "--no-defaults", *where, "-e", "select 1"], capture_output=True, text=True)
    assert done.returncode != 0
    assert "Access denied" in done.stderr


@pytest.mark.integration
def test_no_other_user_can_read_the_databases_password(slurm_cluster):
    for name in ("slurmdbd.conf", "database.sql"):
        assert (slurm_cluster.folder / name).stat().st_mode & 0o077 == 0
