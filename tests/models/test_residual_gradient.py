import pytest
import torch
import torchvision
from torch import Tensor, nn

from featviz.models.residual_gradient import WeightedBranches


class Block(nn.Module):
    """A residual block, whose sum is written in one of several ways."""

    def __init__(self, way: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.way, self.conv, self.shortcut = way, nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 1)

    def branch(self, x: Tensor) -> Tensor:
        return self.conv(torch.tanh(x))

    def forward(self, x: Tensor) -> Tensor:
        branch = self.branch(x)
        if self.way == "in place":
            branch += x
            return branch
        return {
            "branch first": lambda: branch + x,
            "skip first": lambda: x + branch,
            "function": lambda: torch.add(input=x, other=branch),
            "scaled": lambda: torch.add(x, branch, alpha=2),
            "no skip": lambda: self.shortcut(x) + branch,
            "two parts": lambda: x[:, :1] + branch[:, 1:2],
            "no weights": lambda: x + torch.tanh(x),
            "constant": lambda: branch + 1.0,
            "broadcast": lambda: branch + x.mean((2, 3), keepdim=True),
        }[self.way]()


RESIDUAL = {"branch first": 1, "skip first": 1, "function": 1, "in place": 1, "scaled": 2}
OTHERS = ["no skip", "two parts", "no weights", "constant", "broadcast"]


def gradient(block: nn.Module, share: float | None) -> tuple[Tensor, Tensor]:
    """The output, and the gradient of a weighted sum of it at inputs that are not a leaf."""
    leaf = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(1)).requires_grad_()
    if share is None:
        output = block(leaf * 1)
    else:
        with WeightedBranches(share):
            output = block(leaf * 1)
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(2))
    return output.detach(), torch.autograd.grad((output * weights).sum(), leaf)[0]


@pytest.mark.parametrize("way", RESIDUAL)
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_a_branch_hands_back_its_share(way: str, share: float) -> None:
    block = Block(way)
    output, plain = gradient(block, None)
    same, weighted = gradient(block, share)
    skipped = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(2))
    assert torch.equal(output, same)
    torch.testing.assert_close(weighted, skipped + share * (plain - skipped))


@pytest.mark.parametrize("way", OTHERS)
def test_what_is_no_residual_block_stays(way: str) -> None:
    for one, other in zip(gradient(Block(way), None), gradient(Block(way), 0.3), strict=True):
        assert torch.equal(one, other)


def test_shares_of_blocks_in_a_row_multiply() -> None:
    """The gradient is a sum over the ways through two blocks: with a share s, it is a + b s + c s^2."""
    blocks = nn.Sequential(Block("skip first"), Block("in place"))
    at = {share: gradient(blocks, share)[1] for share in (0.0, 0.25, 0.5, 1.0)}
    both = 2 * (at[1.0] - 2 * at[0.5] + at[0.0])
    one = at[1.0] - at[0.0] - both
    assert both.abs().max() > 0.01
    torch.testing.assert_close(at[0.25], at[0.0] + 0.25 * one + 0.0625 * both)


@pytest.mark.parametrize(("name", "blocks"), [("resnet18", 5), ("convnext_tiny", 18), ("vgg11", 0)])
def test_blocks_of_networks_are_found(name: str, blocks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """resnet18 has 8, three of them with convolutions in their shortcuts."""
    found = []
    register = Tensor.register_hook
    monkeypatch.setattr(Tensor, "register_hook", lambda self, hook: found.append(self) or register(self, hook))
    network = torchvision.models.get_model(name, weights=None).eval()
    with WeightedBranches(0.5):
        network(torch.rand(1, 3, 64, 64, requires_grad=True))
    assert len(found) == blocks
