"""Networks of 28, 32 and 64 px, pictures by default: a second network, trained from another seed, knows the classes."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from program import PLAIN
from small_networks import CifarResNet, DigitNetwork, Strided, digits, patterns, train
from torch import Tensor, nn

import featviz


@dataclass
class Kind:
    """A network, the layer of its classes, and what it is trained on."""

    network: Callable[[], nn.Module]
    layer: str
    size: int
    examples: Callable[[], tuple[Tensor, Tensor]]
    epochs: int


KINDS = {
    "digits of 28 px": Kind(DigitNetwork, "fc2", 28, digits, 14),
    "residual, 32 px": Kind(CifarResNet, "fc", 32, lambda: patterns(900, 32, 0), 6),
    "strided, 64 px": Kind(Strided, "classifier", 64, lambda: patterns(900, 64, 0), 5),
}


def trained(kind: Kind, seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = kind.network()
        return train(network, *kind.examples(), seed, kind.epochs)


@pytest.mark.parametrize("name", KINDS)
def test_every_class_is_known_by_a_second_network(name: str) -> None:
    kind = KINDS[name]
    network, judge = trained(kind, 0), trained(kind, 1)
    model = featviz.Model("small", network, (0.0,), (1.0,), kind.size, "given")
    result = featviz.visualize(model, kind.layer, "all", overrides=["objective=logit", *PLAIN])
    assert result.images.shape[2:] == (kind.size, kind.size)
    assert [row["status"] for row in result.rows] == ["ok"] * len(result.rows)
    with torch.no_grad():
        assert judge(result.images).argmax(1).tolist() == list(range(len(result.images)))
