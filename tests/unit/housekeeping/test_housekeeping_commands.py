"""The commands' own checks, without a ledger."""

import pytest

from nightshift.command_line import main


@pytest.mark.parametrize("command", [["clean-up"], ["restore-files", "20260101"]])
def test_who_does_it_is_asked_for(command, capsys):
    assert main(command) == 2
    assert "say who you are (--operator), or look first (--dry-run)" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["clean-up", "restore-files", "disks"])
def test_help_explains(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0 and len(capsys.readouterr().out) > 200
