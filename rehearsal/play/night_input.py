"""The files of the night that is played: made or read by a process of its own, beside the start of the stack.

``python -m rehearsal.play.night_input '{...}'`` makes them and says on its output how far it is, a line of JSON
at a time.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nightshift.errors import NeedsOperator, NightshiftError
from nightshift.files import write_json
from nightshift.settings import Deployment, SettingsError, Survey, load_deployment
from nightshift.stack.supervisor import tail
from nightshift.vocabulary import Reason

if TYPE_CHECKING:
    from rehearsal.simulator.faults import FaultRequest

__all__ = ["Making", "Material", "MaterialRequest", "raw_folders", "start_material", "truth_of"]


@dataclass(frozen=True)
class MaterialRequest:
    """What to make.

    Parameters
    ----------
    survey : str
    folder : Path
        Where it goes.
    seed : int
    raw : Path, optional
        A folder of real files, in place of a simulation; where the survey has several instruments with a folder for
        each of them, called as the instrument.
    night : date, optional
        Which night of them, where the folder holds several.
    small : bool
        The short night of the tests.
    faults : tuple of str
        What goes wrong, as ``nightshift simulate --fault`` takes it; where the survey has several instruments with
        the instrument before it (``INSTRUMENT/NAME``).
    """

    survey: str
    folder: Path
    seed: int = 1
    raw: Path | None = None
    night: date | None = None
    small: bool = False
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Material:
    """The night's files.

    Parameters
    ----------
    night : date
    files : tuple of Path
        In shutter order.
    manifest : Path
    catalogues : Path, optional
        The folder of the fields' catalogues, where there are some.
    truth : Path, optional
        The folder of the truth, where the night is simulated.
    after_manifest, after_closing : tuple of Path
        What is sent late.
    left_out : int
        How many files of a folder of real ones are not played.
    instrument : str
        Whose they are, where the survey has several.
    beside : tuple of Material
        The files of the survey's other instruments, which are played at the same time.
    """

    night: date
    files: tuple[Path, ...]
    manifest: Path
    catalogues: Path | None
    truth: Path | None
    after_manifest: tuple[Path, ...] = ()
    after_closing: tuple[Path, ...] = ()
    left_out: int = 0
    instrument: str = ""
    beside: tuple["Material", ...] = ()

    @property
    def of_each(self) -> tuple["Material", ...]:
        """The files of each instrument."""
        return (self, *self.beside)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Material":
        """Return what the making process wrote."""
        return cls(
            date.fromisoformat(value["night"]), tuple(Path(f) for f in value["files"]), Path(value["manifest"]),
            Path(value["catalogues"]) if value["catalogues"] else None,
            Path(value["truth"]) if value["truth"] else None,
            tuple(map(Path, value.get("after_manifest", ()))), tuple(map(Path, value.get("after_closing", ()))),
            value.get("left_out", 0), value.get("instrument", ""),
            tuple(map(cls.from_json, value.get("beside", ()))),
        )  # fmt: skip


def raw_folders(deployment: Deployment, raw: Path) -> list[tuple[Survey, Path]]:
    """Return in which folder the real files of each instrument are; those of several are in one folder each.

    Instruments without a folder send nothing that night.

    Raises
    ------
    SettingsError
        If none of several instruments has a folder.
    """
    if len(deployment.instruments) == 1:
        return [(deployment.survey, raw)]
    folders = [(survey, raw / survey.camera.instrument) for survey in deployment.surveys]
    if there := [(survey, folder) for survey, folder in folders if folder.is_dir()]:
        return there
    raise SettingsError(
        f"{raw} has none of the folders {', '.join(deployment.instruments)}: the files of each instrument of "
        f"{deployment.name} are in a folder that is called as the instrument"
    )


def truth_of(folder: Path, deployment: Deployment, instrument: str) -> Path:
    """Return the folder of the truth of an instrument, where the night that a deployment plays is simulated."""
    return (folder / instrument if len(deployment.instruments) > 1 else folder) / "truth"


class Making:
    """The process that makes the files, as the night sees it.

    Parameters
    ----------
    process : subprocess.Popen
        Its output is a line of JSON at a time.
    log : Path
        What it says otherwise.
    """

    def __init__(self, process: "subprocess.Popen[str]", log: Path):
        self._process, self._log = process, log
        self._said: dict[str, Any] = {}
        self._news = threading.Condition()
        threading.Thread(target=self._read, name="material", daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news, suppress(ValueError):
                self._said.update(json.loads(line))
                self._news.notify_all()
        with self._news:
            self._said["ended"] = True
            self._news.notify_all()

    def _await(self, what: str, tell: Callable[[int, int], None] | None = None) -> Any:
        with self._news:
            while what not in self._said:
                if "ended" in self._said:
                    raise NeedsOperator(
                        Reason.INTERNAL_ERROR,
                        self._said.get("error") or f"the night's files could not be made:\n{tail(self._log, 20)}",
                    )
                self._news.wait(0.5)
                if tell and "made" in self._said:
                    tell(*self._said["made"])
            return self._said[what]

    def night(self) -> date:
        """Return the night that the files are of, as soon as it is known."""
        return date.fromisoformat(self._await("night"))

    def wait(self, tell: Callable[[int, int], None]) -> Material:
        """Wait until all is made; `tell` is called with the number of files made and of all."""
        return Material.from_json(self._await("ready", tell))


@contextmanager
def start_material(request: MaterialRequest, log: Path) -> Iterator[Making]:
    """Make the night's files beside the block; what still runs at its end is ended."""
    value = json.dumps(asdict(request), default=str)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "rehearsal.play.night_input", value],
            stdout=subprocess.PIPE, stderr=stream, stdin=subprocess.DEVNULL, text=True,
            start_new_session=True, env=environment,
        )  # fmt: skip
    try:
        yield Making(process, log)
    finally:
        with suppress(ProcessLookupError):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()


# --- in the process of its own -------------------------------------------------------------------------------


def _say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def main(arguments: list[str]) -> int:
    """Make the files that the request (a line of JSON) asks for, and say how far it is."""
    value = json.loads(arguments[0])
    request = MaterialRequest(
        value["survey"], Path(value["folder"]), value["seed"], value["raw"] and Path(value["raw"]),
        value["night"] and date.fromisoformat(value["night"]), value["small"], tuple(value["faults"]),
    )  # fmt: skip
    try:
        material = _simulated(request) if request.raw is None else _real(request)
    except (NightshiftError, SettingsError, ValueError, OSError) as error:
        _say(error=str(error))
        return 1
    _say(ready=material)
    return 0


def _simulated(request: MaterialRequest) -> dict[str, Any]:
    from rehearsal.simulator.faults import faults_of_each
    from rehearsal.simulator.night_plan import DEFAULT_NIGHT

    _say(night=DEFAULT_NIGHT.isoformat())
    deployment = load_deployment(request.survey)
    faults = faults_of_each(request.faults, deployment.instruments)
    if len(deployment.instruments) == 1:
        return _simulated_of(request, deployment.survey, request.folder, faults[deployment.survey.camera.instrument])
    return _beside(request.folder, [
        (survey, _simulated_of(request, survey, request.folder / name, faults[name]))
        for name, survey in zip(deployment.instruments, deployment.surveys, strict=True)
    ])  # fmt: skip


def _beside(folder: Path, made: list[tuple[Survey, dict[str, Any]]]) -> dict[str, Any]:
    """Return what was made for several instruments as one night; the manifest of each is a part of its site's."""
    of_site: dict[str, list[str]] = {}
    for survey, _ in made:
        of_site.setdefault(survey.site.name, []).append(survey.camera.instrument)
    first, *others = (_as_part(folder, survey, own, of_site[survey.site.name]) for survey, own in made)
    return {**first, "beside": others, "left_out": sum(own.get("left_out", 0) for _, own in made)}


def _as_part(folder: Path, survey: Survey, made: dict[str, Any], of_site: list[str]) -> dict[str, Any]:
    instrument, site = survey.camera.instrument, survey.site.name
    table = json.loads(Path(made["manifest"]).read_text())
    table |= {"part": of_site.index(instrument) + 1, "parts": len(of_site)}
    part = folder / f"manifest_{site}_{table['night'].replace('-', '')}_{table['part']}.json"
    write_json(part, table)
    return {**made, "manifest": str(part), "instrument": instrument}


def _simulated_of(
    request: MaterialRequest, survey: Survey, folder: Path, faults: tuple["FaultRequest", ...]
) -> dict[str, Any]:
    from rehearsal.simulator import SMALL, simulate_night

    made = simulate_night(
        survey, folder,
        seed=request.seed, scale=SMALL if request.small else None, processes=os.cpu_count() or 1,
        faults=faults,
        progress=lambda number, of: _say(made=[number, of]),
    )  # fmt: skip
    return {
        "night": made.night.isoformat(),
        "files": [str(path) for path in made.files],
        "manifest": str(made.manifest),
        "catalogues": str(made.catalogues),
        "truth": str(made.truth),
        "after_manifest": [str(path) for path in made.after_manifest],
        "after_closing": [str(path) for path in made.after_closing],
    }


def _real(request: MaterialRequest) -> dict[str, Any]:
    assert request.raw is not None
    deployment = load_deployment(request.survey)
    folders = raw_folders(deployment, request.raw)
    night = _one_night(folders, request.night)
    _say(night=night.isoformat())
    if len(deployment.instruments) == 1:
        return _real_of(deployment.survey, request.raw, request.folder, night)
    return _beside(request.folder, [
        (survey, _real_of(survey, raw, request.folder / survey.camera.instrument, night)) for survey, raw in folders
    ])  # fmt: skip


def _one_night(folders: list[tuple[Survey, Path]], asked: date | None) -> date:
    """Return the night of the files of all instruments."""
    from rehearsal.simulator.night_files import choose_night

    nights = {str(raw): choose_night(survey, raw, asked)[0] for survey, raw in folders}
    if len({*nights.values()}) > 1:
        found = ", ".join(f"{raw}: {night}" for raw, night in nights.items())
        raise SettingsError(f"the instruments' files are of different nights ({found}): NIGHT chooses one of them")
    return next(iter(nights.values()))


def _real_of(survey: Survey, raw: Path, folder: Path, night: date) -> dict[str, Any]:
    from rehearsal.simulator import prepare_real_night

    made = prepare_real_night(survey, raw, folder, night=night)
    return {
        "night": made.night.isoformat(),
        "files": [str(path) for path in made.files],
        "manifest": str(made.manifest),
        "catalogues": None,
        "truth": None,
        "left_out": made.left_out,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
