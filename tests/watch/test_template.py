"""Watch as a file of configs/callbacks, in the layout of lightning-hydra-template."""

import csv
from pathlib import Path
from textwrap import dedent

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from lightning import Callback
from program import ROOT
from trainings import Training, fit

import featviz

FILES = {
    "train.yaml": """
        # @package _global_
        defaults:
          - _self_
          - paths: default
          - callbacks: default
        """,
    "paths/default.yaml": "output_dir: ???\n",
    "callbacks/default.yaml": """
        defaults:
          - model_summary
          - watch
          - _self_
        """,
    "callbacks/model_summary.yaml": """
        model_summary:
          _target_: lightning.pytorch.callbacks.RichModelSummary
          max_depth: 1
        """,
}


def of_the_docs() -> str:
    """The file that docs/watch.md shows."""
    text = (ROOT / "docs" / "watch.md").read_text()
    return text.partition("```yaml\n# configs/callbacks/watch.yaml\n")[2].partition("```")[0]


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    for name, text in {**FILES, "callbacks/watch.yaml": of_the_docs()}.items():
        path = tmp_path / "configs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip())
    return tmp_path / "configs"


def callbacks(configs: Path, *typed: str) -> list[Callback]:
    """As the template's instantiate_callbacks makes them."""
    with initialize_config_dir(str(configs), version_base="1.3"):
        cfg = compose("train", ["paths.output_dir=logs", *typed])
        return [instantiate(node) for node in cfg.callbacks.values() if "_target_" in node]


def test_the_file_of_the_docs_is_a_callback(configs: Path) -> None:
    quick = "callbacks.watch.recipe=plain", "callbacks.watch.overrides=['schedule.steps=2','evidence=none']"
    asked = "callbacks.watch.layers=[f.3]", "callbacks.watch.filters=0-1", "+callbacks.watch.size=16"
    found = callbacks(configs, *quick, *asked, "callbacks.watch.budget=null")
    watch = next(one for one in found if isinstance(one, featviz.Watch))
    fit([watch], module=Training(), max_epochs=1)
    with Path("logs/watch/watch.csv").open(newline="") as file:
        assert [(row["layer"], row["filter"]) for row in csv.DictReader(file)] == [("f.3", "0"), ("f.3", "1")]


def test_what_it_says_is_what_is_asked(configs: Path) -> None:
    watch = next(one for one in callbacks(configs) if isinstance(one, featviz.Watch))
    assert watch.settings.layers == ("layer4",)
    assert watch.settings.output == Path("logs/watch")
    assert watch.settings == featviz.Watch(layers=["layer4"], filters="0-3", output="logs/watch").settings
