"""Stand-ins for services that a site runs: found by name, so that nothing here depends on what plays a night.

A stand-in is a module that runs by ``python -m`` and is registered under the entry point ``nightshift.stand_ins``. It
may have a function ``missing`` that says what this machine lacks to run it, and one for a broker ``sending_limits``
(`nightshift.alerts.sending_limits`).
"""

import sys
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType

from nightshift.settings import SettingsError

__all__ = ["command_of", "missing_for", "module_of"]

GROUP = "nightshift.stand_ins"


def command_of(name: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs a stand-in."""
    return (sys.executable, "-m", _name_of_module(name), *arguments)


def missing_for(name: str) -> str:
    """Return what this machine lacks to run a stand-in and how to get it; empty where it lacks nothing."""
    lack: str = module_of(name).missing()
    return lack


def module_of(name: str) -> ModuleType:
    """Return a stand-in's module."""
    return import_module(_name_of_module(name))


def _name_of_module(name: str) -> str:
    for entry_point in entry_points(group=GROUP, name=name):
        return entry_point.value
    raise SettingsError(f"no stand-in {name!r} is installed: give the address of a real service, or install it")
