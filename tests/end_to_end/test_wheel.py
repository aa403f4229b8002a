"""The wheel: it has its configurations inside it, and runs from wherever it is put."""

import json
import os
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path

import pytest
import yaml
from processes import forked, imported_from
from program import HELPERS, ROOT, SHORT, environment

from featviz.results.folder import read_rows

WHERE = """
import json, featviz, featviz.config.compose
print(json.dumps([featviz.__version__, featviz.__file__, str(featviz.config.compose.config_dir())]))
"""

pytestmark = pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="no checkout to build from")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "wheel"]
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(ROOT)]
    done = subprocess.run([*pip, *offline], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as ``pip install --target`` leaves it, but for the scripts."""
    folder = tmp_path_factory.mktemp("a folder, with = and #") / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(installed: Path, folder: Path, *arguments: str) -> str:
    """Run Python in a folder, with the installed copy before the checkout's: an editable install comes last."""
    paths = os.pathsep.join([str(installed), str(HELPERS)])
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment(PYTHONPATH=paths), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.process
def test_the_wheel_has_the_package_and_every_configuration_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    expected = {
        f"{inside}/{path.relative_to(ROOT / folder).as_posix()}": path.read_bytes()
        for folder, inside in (
            ("src/featviz", "featviz"),
            ("src/hydra_plugins", "hydra_plugins"),
            ("conf", "featviz/conf"),
        )
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name: text for name, text in content.items() if ".dist-info/" not in name} == expected
    info = {name.partition("/")[2]: text.decode() for name, text in content.items() if ".dist-info/" in name}
    assert "featviz/py.typed" in content  # without it type checkers see nothing of ours but Any
    assert "licenses/LICENSE" in info
    scripts = ConfigParser()
    scripts.read_string(info["entry_points.txt"])
    assert scripts["console_scripts"]["featviz"] == "featviz.__main__:main"
    assert "torch<3,>=2.11" in Parser().parsestr(info["METADATA"]).get_all("Requires-Dist", [])


@pytest.mark.process
def test_the_installed_copy_runs_with_its_own_configurations(installed: Path, tmp_path: Path) -> None:
    # what the checkout does not say cannot come from it
    default = installed / "featviz/conf/optimizer/nadam.yaml"
    default.write_text(default.read_text() + "eps: 1.25e-7\n")
    version, package, folder = json.loads(run(installed, tmp_path, "-c", WHERE))
    assert Path(package) == installed / "featviz/__init__.py"
    assert Path(folder) == installed / "featviz/conf"
    assert f"featviz-{version}.dist-info" in {path.name for path in installed.iterdir()}
    shown = yaml.safe_load(run(installed, tmp_path, "-m", "featviz", "--cfg", "job"))
    assert float(shown["optimizer"]["eps"]) == 1.25e-7
    made = forked(*SHORT, first=imported_from(installed))
    assert made.status == 0, made
    (first,) = (tmp_path / "outputs/visualize").iterdir()
    assert made.out.splitlines()[-1] == f"{first}: 2 ok"
    assert [row["image"] for row in read_rows(first)] == ["images/second/0000.png", "images/second/0001.png"]
    assert "eps: 1.25e-07" in (first / "config.yaml").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outputs"]

    script = "from featviz.__main__ import main; main()"  # what the console script does
    again = ("--config-path", str(first), "--config-name", "config", "--cfg", "job")
    expected = yaml.safe_load((first / "config.yaml").read_text())
    del expected["defaults"]
    assert yaml.safe_load(run(installed, tmp_path, "-c", script, *again)) == expected
