"""The pages of the documentation: their commands can be typed, their links and the files that they name are there."""

import re
import shlex
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from configs import chosen
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig
from program import ROOT

from featviz.config.arguments import hydra_arguments
from featviz.config.checks import check_settings
from featviz.config.compose import config_dir, register_resolvers
from featviz.config.launchers import joblib, ray
from featviz.errors import FeatvizError

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"python -m featviz\b([^`\n#]*)")
KNOWN_LATER = re.compile(r"<date>|\$SLURM")
YAML_FILE = re.compile(r"```yaml\n((?:#.*\n)*# ([\w/]+\.yaml).*\n(?:.*\n)*?)```")
LINK = re.compile(r"\]\((?!http)([^)#]*)#?([^)]*)\)")


def commands(page: Path) -> list[str]:
    """The settings of every ``python -m featviz`` on a page, without what only a cluster or a finished run knows.

    Those of objectives.md that need no folder of one's own are in conf/test_objectives.py, with what they build.
    """
    typed = COMMAND.findall(page.read_text().replace("\\\n", " "))
    lines = dict.fromkeys(line.strip() for line in typed if not KNOWN_LATER.search(line))
    return [line for line in lines if page.name != "objectives.md" or "--config-dir" in line]


@pytest.mark.parametrize(
    ("page", "line"),
    [(page, line) for page in PAGES for line in commands(page)],
    ids=lambda value: value.name if isinstance(value, Path) else value,
)
def test_what_the_pages_say_can_be_typed(page: Path, line: str) -> None:
    Path("photos").mkdir()
    for text, name in YAML_FILE.findall(page.read_text()):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    try:
        check_settings(composed(hydra_arguments(shlex.split(line))))
    except FeatvizError as error:
        if "there is no f" not in str(error):  # what else a line says has been looked at before its files
            raise


def composed(arguments: list[str]) -> DictConfig:
    """The configuration of the first job of a sweep, or of the only one."""
    settings = OverridesParser.create().parse_overrides([word for word in arguments if "=" in word])
    first = [
        f"{setting.key_or_group}={next(setting.sweep_string_iterator())}"
        if setting.is_sweep_override()
        else setting.input_line
        for setting in settings
    ]
    own = [f"hydra.searchpath=[{Path(b).absolute()}]" for a, b in pairwise(arguments) if a == "--config-dir"]
    joblib.register()
    ray.register()
    if not own:
        return chosen(*first)
    register_resolvers()
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("config", [*own, *first])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for path, heading in LINK.findall(page.read_text()):
        target = (page.parent / path) if path else page
        assert target.exists(), path
        assert not heading or heading in slugs(target), heading


def slugs(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_architecture_names_files_that_are_there_and_every_folder() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    files = [path.as_posix() for path in ROOT.rglob("*.py") if ".venv" not in path.parts]
    named = set(re.findall(r"[\w/]+\.py\b", text)) - {"mine.py"}
    assert [name for name in sorted(named) if not any(file.endswith(f"/{name}") for file in files)] == []
    folders = {path.parent.name for path in (ROOT / "src/featviz").glob("*/__init__.py")}
    assert folders <= set(re.findall(r"^  (\w+)/ ", text, re.MULTILINE))


def test_the_changelog_begins_with_the_version_that_is_built() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    assert re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0] == version
