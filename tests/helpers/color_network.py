"""A network whose filters answer to known colors."""

import torch
from torch import Tensor, nn

from featviz.models.backbone import Backbone
from featviz.models.model import Model


class Colors(nn.Module):
    """Filter k answers to channel k; filter 3 to one pixel; filter 4 to nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        spot = torch.zeros_like(x[:, :1])
        spot[:, :, 8, 30] = 1e3 * (x[:, :1, 8, 30] - x.mean((1, 2, 3))[:, None])
        return self.conv(torch.cat([x, spot, spot * 0], 1)[:, :3]) * 0 + torch.cat([x, spot, spot * 0], 1)


def backbone(network: nn.Module | None = None, channels: int = 3) -> Backbone:
    """Layer "0" of this network, or of one of Colors, for pictures of 40 px."""
    network = network or nn.Sequential(Colors())
    model = Model("net", network.eval(), (0.0,) * channels, (1.0,) * channels, 40, "random")
    return Backbone(model, ["0"])


def color(red: float, green: float, blue: float) -> Tensor:
    """A picture of one color, (1, 3, 40, 40)."""
    return torch.tensor([red, green, blue]).view(1, 3, 1, 1).expand(1, 3, 40, 40).clone()
