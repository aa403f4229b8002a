import pytest
import yaml
from hydra._internal.hydra import Hydra

from featviz.config.compose import config_dir
from featviz.config.run_mode import composed_once


@pytest.mark.parametrize(
    ("arguments", "asks"),
    [
        ([], False),
        (["-m", "layer=a,b", "+debug=fast"], False),
        (["-m", "hydra.sweep.dir=there", "hydra.job.config.override_dirname.exclude_keys=['experiment']"], False),
        (["hydra.mode=MULTIRUN"], True),
        (["+hydra.searchpath=[file:///own]"], True),
        (["+experiment=layer4_sweep"], True),
        (["--config-dir", "own", "layer=a"], True),
        (["-cp=/there", "-cn", "config"], True),
    ],
)
def test_hydra_looks_for_the_mode_only_where_something_may_set_it(arguments: list[str], asks: bool) -> None:
    ask = Hydra.get_mode
    with composed_once(arguments):
        assert (Hydra.get_mode is ask) == asks
    assert Hydra.get_mode is ask


def test_only_experiments_of_ours_set_the_mode() -> None:
    for file in config_dir().rglob("*.yaml"):
        settings = yaml.safe_load(file.read_text()) or {}
        where = settings if file.parent.name == "hydra" else settings.get("hydra") or {}
        assert "mode" not in where or file.parent.name == "experiment", file
