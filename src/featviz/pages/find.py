"""Which run folders are meant: those that paths, patterns, and the folders of sweeps name."""

from __future__ import annotations

from collections.abc import Sequence
from glob import has_magic
from pathlib import Path

from featviz.errors import FeatvizError
from featviz.reading import expanded
from featviz.results.job_folders import job_folders

SIGNS = ("results.csv", "exemplars.csv", "manifest.json")  # one of them is in every run folder
EXPECTED = "the folder of a run, with a results.csv or an exemplars.csv in it, of a sweep, or a pattern of such folders"


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run, finished or not."""
    return any((folder / name).is_file() for name in SIGNS)


def has_runs(folder: Path) -> bool:
    """Whether a folder is that of a run, or of a sweep with one."""
    return is_run(folder) or any(is_run(job) for job in job_folders(folder))


def folder_of_pages(runs: Sequence[Path], into: Path | None) -> Path:
    """Where pages of runs go: ``into``, or the only folder that is named.

    Raises:
        FeatvizError: there are several, or it is not there.
    """
    if into is not None:
        return into
    if len(runs) == 1 and runs[0].is_dir():
        return runs[0]
    find_runs(runs)  # what is not there is told first
    raise FeatvizError(setting="into", expected="the folder for the pages of several runs")


def find_runs(texts: Sequence[str | Path]) -> list[Path]:
    """The run folders that are named, each once, in this order; the jobs of a sweep in the order of their numbers.

    Raises:
        FeatvizError: nothing is named, or what is named is no run.
    """
    found = {path.resolve(): path for text in texts for path in _found(str(text))}
    if not found:
        raise FeatvizError(setting="runs", got=list(texts), expected=EXPECTED)
    return list(found.values())


def _found(text: str) -> list[Path]:
    path = expanded(text)
    if path.is_dir():
        found = _below(path)
    elif has_magic(text):
        anchor = Path(path.anchor)
        matching = sorted(each for each in anchor.glob(str(path.relative_to(anchor))) if each.is_dir())
        found = [run for each in matching for run in _below(each)]
    else:
        beside = [other.name for other in path.parent.glob("*") if other.is_dir()]
        raise FeatvizError(f"runs: there is no folder '{text}'", setting="runs", got=path.name, known=beside or None)
    if not found:
        raise FeatvizError(f"runs: '{text}' is no run", setting="runs", got=text, expected=EXPECTED)
    return found


def _below(folder: Path) -> list[Path]:
    """A run's folder itself, the jobs of a sweep, or the runs that lie in a folder."""
    if is_run(folder):
        return [folder]
    jobs = job_folders(folder) or sorted(folder.glob("[!.]*"))  # not .hydra
    return [job for job in jobs if is_run(job)]
