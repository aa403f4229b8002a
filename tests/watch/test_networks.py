"""Which network is taken, and that its copy shares nothing with it."""

import copy
from typing import Any

import pytest
import torch
from lightning import LightningModule
from refusals import refusal_of
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune
from torch.optim.swa_utils import AveragedModel
from trainings import Net, Training

from featviz.watch.networks import snapshot, unwrapped, watched_network


class Alone(LightningModule):
    """The network itself."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

    def training_step(self, *_: Any) -> Tensor:
        raise NotImplementedError


class Averaged(Training):
    """With a moving average beside the network."""

    def __init__(self) -> None:
        super().__init__()
        self.average = AveragedModel(self.net)


@pytest.mark.parametrize(
    ("module", "named", "where", "kind"),
    [
        (Training(), None, "Training.net", Net),
        (Training(), "net.f", "Training.net.f", nn.Sequential),
        (Training(), lambda module: module.net.f, "what network returns for Training", nn.Sequential),
        (Alone(), None, "Alone", Alone),
        (Net(), None, "Net", Net),
        (Averaged(), "average", "Averaged.average", Net),
        (Averaged(), None, "Averaged", Averaged),
        (nn.DataParallel(Net()), None, "Net", Net),
    ],
)
def test_which_network(module: nn.Module, named: Any, where: str, kind: type) -> None:
    found = watched_network(module, named)
    assert (found[0], type(found[1])) == (where, kind)


class OptimizedModule(nn.Module):
    """As torch.compile returns it, after an import of four seconds."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._orig_mod = network


def test_wrappers_are_taken_off() -> None:
    network = Net()
    assert unwrapped(OptimizedModule(nn.DataParallel(network))) is network
    assert unwrapped(AveragedModel(OptimizedModule(network))).state_dict().keys() == network.state_dict().keys()


@pytest.mark.parametrize("named", ["other", "net.other", lambda _: None])
def test_what_is_no_network(named: Any) -> None:
    assert refusal_of(lambda: watched_network(Training(), named)).setting == "network"


class FSDPModule(nn.Module):
    """Called as torch's is."""


def test_a_network_in_parts() -> None:
    error = refusal_of(lambda: watched_network(nn.Sequential(FSDPModule())))
    assert (error.setting, error.expected) == ("network", "DDP, or one device")


def test_a_copy_shares_nothing() -> None:
    network, calls = Net().train(), list[int]()
    network.f.register_forward_hook(lambda *_: calls.append(1))
    network.f.register_forward_pre_hook(lambda *_: calls.append(2))
    network.f.register_full_backward_hook(lambda *_: calls.append(3))
    pictures = torch.rand(2, 3, 16, 16, requires_grad=True)
    network(pictures).sum().backward()
    before, calls[:] = copy.deepcopy(network.state_dict()), []
    copied = snapshot(network)
    assert not any(module.training for module in copied.modules())
    assert all(value.grad is None for value in copied.parameters())
    with torch.no_grad():
        for value in copied.parameters():
            value.zero_()
    copied(pictures).sum().backward()
    assert calls == []
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(value.grad is not None for value in network.parameters())


def weight_norm(network: Net) -> None:
    parametrizations.weight_norm(network.f[0])


def spectral_norm(network: Net) -> None:
    nn.utils.spectral_norm(network.f[0])


def pruning(network: Net) -> None:
    prune.l1_unstructured(network.f[0], "weight", amount=0.5)


@pytest.mark.parametrize("changed", [weight_norm, spectral_norm, pruning])
def test_hooks_that_are_part_of_the_network_stay(changed: Any) -> None:
    network = Net().eval()
    changed(network)
    pictures = torch.rand(2, 3, 16, 16)
    expected = network(pictures)
    copied = snapshot(network)
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.mul_(2)
    assert torch.equal(network(pictures), expected)
    assert not torch.allclose(copied(pictures), expected)


class KeepsItsOutput(nn.Conv2d):
    """As many networks do, for a loss on features."""

    def forward(self, x: Tensor) -> Tensor:
        self.features = super().forward(x)
        return self.features


def test_outputs_that_a_module_has_kept() -> None:
    network = KeepsItsOutput(3, 4, 3)
    network(torch.rand(1, 3, 8, 8))
    assert snapshot(network)(torch.zeros(1, 3, 8, 8)).shape == (1, 4, 6, 6)
    assert network.features.grad_fn is not None


def test_what_cannot_be_copied() -> None:
    network = Net()
    network.lock = (number for number in range(3))  # type: ignore[assignment]
    assert refusal_of(lambda: snapshot(network)).setting == "network"
