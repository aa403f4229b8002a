"""The folders of a sweep's runs."""

from __future__ import annotations

import os
import re
from pathlib import Path


def job_folders(folder: Path) -> list[Path]:
    """Find the jobs' folders without going into them; 10 comes after 9."""
    jobs = []
    for path, folders, _ in os.walk(folder):
        if Path(path) != folder and Path(path, ".hydra", "overrides.yaml").is_file():
            jobs.append(Path(path))
            folders.clear()
    return sorted(jobs, key=lambda path: _with_numbers(path.relative_to(folder).as_posix()))


def _with_numbers(name: str) -> list[tuple[bool, str]]:
    return [(not part.isdigit(), part.zfill(12)) for part in re.split(r"(\d+)", name)]
