"""Configurations of one's own, beside the program's."""

from pathlib import Path

from configs import chosen
from omegaconf import OmegaConf
from program import PLAIN, SHORT, made, refused

from featviz.results.folder import read_rows

FILES = {
    "nets.py": "from tiny_networks import Tiny\n\nclass Mine(Tiny):\n    pass\n",
    "mine/recipe/soft.yaml": """\
# @package _global_
defaults:
  - olah2017
  - override /schedule: octaves
  - override /optimizer: careful
recipe:
  name: soft
schedule:
  number: 2
""",
    "mine/optimizer/careful.yaml": "defaults: [adamw, _self_]\nlr: 0.003\n",
    "mine/model/mine.yaml": """\
_target_: featviz.models.sources.own.load
target: nets.Mine
weights: random
size: 48
stages: {layer3: second}
seed: ${seed}
""",
    "mine/experiment/both.yaml": """\
# @package _global_
name: both
defaults:
  - override /model: mine
  - override /recipe: soft
layer: layer3
filters: [0, 1]
schedule: {size: 40, steps: 2}
""",
}


def test_configurations_of_ones_own() -> None:
    for name, text in FILES.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    quick = ("--config-dir", "mine", *PLAIN)
    folder = made(*quick, "+experiment=both")
    assert folder.parent == Path("outputs/both")
    rows = read_rows(folder)
    assert [row["filter"] for row in rows] == [0, 1]
    assert {(row["model"], row["recipe"], row["layer"], row["module"], row["size"], row["steps"]) for row in rows} == {
        ("Mine", "soft", "layer3", "second", 40, 2)
    }
    assert OmegaConf.load(folder / "config.yaml").optimizer == {
        "_target_": "torch.optim.AdamW",
        "_partial_": True,
        **chosen("optimizer=adamw").optimizer,
        "lr": 0.003,
    }
    pieces = made(*quick, *SHORT[-2:], "model=mine", "layer=layer3", "filters=0", "recipe=soft", output="pieces")
    assert [row["recipe"] for row in read_rows(pieces)] == ["soft"]
    assert "unknown recipe 'sof'; nearest: soft" in refused(*quick, "recipe=sof")
