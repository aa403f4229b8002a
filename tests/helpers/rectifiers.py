"""Everything that torch has for rectifying, in the ways that networks call it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

RELU = (0.0, torch.inf)
# Each rectifier, and the values below and above which it is flat; none above zero for those that stay open there.
RECTIFIERS: dict[str, tuple[Callable[[Tensor], Tensor], tuple[float, float]]] = {
    "nn.ReLU": (nn.ReLU(), RELU),
    "nn.ReLU inplace": (nn.ReLU(inplace=True), RELU),
    "F.relu": (F.relu, RELU),
    "F.relu keyword input": (lambda x: F.relu(input=x), RELU),
    "F.relu inplace positional": (lambda x: F.relu(x, True), RELU),
    "F.relu inplace keyword": (lambda x: F.relu(x, inplace=True), RELU),
    "F.relu_": (F.relu_, RELU),
    "torch.relu": (torch.relu, RELU),
    "torch.relu_": (torch.relu_, RELU),
    "x.relu()": (lambda x: x.relu(), RELU),
    "x.relu_()": (lambda x: x.relu_(), RELU),
    "nn.ReLU6": (nn.ReLU6(inplace=True), (0.0, 6.0)),
    "F.relu6": (F.relu6, (0.0, 6.0)),
    "F.relu6 inplace positional": (lambda x: F.relu6(x, True), (0.0, 6.0)),
    "F.hardtanh": (F.hardtanh, (-1.0, 1.0)),
    "F.hardtanh positional": (lambda x: F.hardtanh(x, -2.0, 3.0), (-2.0, 3.0)),
    "F.hardtanh inplace positional": (lambda x: F.hardtanh(x, 0.0, 4.0, True), (0.0, 4.0)),
    "F.hardtanh keyword": (lambda x: F.hardtanh(x, min_val=-0.5, max_val=2.0, inplace=True), (-0.5, 2.0)),
    "nn.Hardtanh": (nn.Hardtanh(0.0, 1.0), (0.0, 1.0)),
    "F.hardtanh_": (lambda x: F.hardtanh_(x, 0.0, 6.0), (0.0, 6.0)),
    "F.threshold": (lambda x: F.threshold(x, 0.5, 0.1), (0.5, torch.inf)),
    "F.threshold_": (lambda x: F.threshold_(x, 0.5, 0.1), (0.5, torch.inf)),
    "torch.threshold": (lambda x: torch.threshold(x, threshold=0.5, value=0.1), (0.5, torch.inf)),
    "nn.Threshold inplace": (nn.Threshold(0.5, 0.1, inplace=True), (0.5, torch.inf)),
    "torch.clamp": (lambda x: torch.clamp(x, 0, 6), (0.0, 6.0)),
    "torch.clamp tensors": (lambda x: torch.clamp(x, torch.tensor(0.0), torch.tensor(6.0)), (0.0, 6.0)),
    "torch.clamp_": (lambda x: torch.clamp_(x, min=0), RELU),
    "torch.clip": (lambda x: torch.clip(x, 0, None), RELU),
    "torch.clip_": (lambda x: torch.clip_(x, 0, 6), (0.0, 6.0)),
    "x.clamp()": (lambda x: x.clamp(0, 6), (0.0, 6.0)),
    "x.clamp(min=)": (lambda x: x.clamp(min=0), RELU),
    "x.clamp_()": (lambda x: x.clamp_(0, 6), (0.0, 6.0)),
    "x.clip()": (lambda x: x.clip(0, 6), (0.0, 6.0)),
    "x.clip_()": (lambda x: x.clip_(0, 6), (0.0, 6.0)),
    "torch.clamp_min": (lambda x: torch.clamp_min(x, 0), RELU),
    "x.clamp_min()": (lambda x: x.clamp_min(0), RELU),
    "x.clamp_min_()": (lambda x: x.clamp_min_(0), RELU),
    "x.clamp_min().clamp_max()": (lambda x: x.clamp_min(0).clamp_max(6), (0.0, 6.0)),
    "x.clamp_min_().clamp_max_()": (lambda x: x.clamp_min_(0).clamp_max_(6), (0.0, 6.0)),
    "F.hardswish": (F.hardswish, (-3.0, torch.inf)),
    "nn.Hardswish inplace": (nn.Hardswish(inplace=True), (-3.0, torch.inf)),
    "F.gelu": (F.gelu, (-8.0, torch.inf)),
    "F.gelu tanh": (lambda x: F.gelu(x, approximate="tanh"), (-8.0, torch.inf)),
    "F.silu": (F.silu, (-40.0, torch.inf)),
    "nn.SiLU inplace": (nn.SiLU(inplace=True), (-40.0, torch.inf)),
    "F.mish": (F.mish, (-40.0, torch.inf)),
    "nn.Mish inplace": (nn.Mish(inplace=True), (-40.0, torch.inf)),
}
