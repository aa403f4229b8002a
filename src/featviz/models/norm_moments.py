"""The mean and variance of what goes into each batch norm of a network, picture by picture and channel by channel."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.hooks import RemovableHandle
from typing_extensions import override

from featviz.models.batch_norm import ScaleShift, eval_norms, scale_and_shift

SMALLEST_SCALE = 1e-2  # of 1, or of the shift where that is more: below it, an input computed back is noise


class RunningMoments(nn.Module):
    """What a batch norm averaged in training over the inputs of its channels, and what it makes of an input.

    ``mean`` and ``var`` are its running statistics and ``std`` is what it divides by; ``scale`` and ``shift`` lead from
    its input to its output. Each has the shape (channels,).
    """

    mean: Tensor
    var: Tensor
    std: Tensor
    scale: Tensor
    shift: Tensor

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__()
        assert norm.running_mean is not None
        assert norm.running_var is not None
        mean, var = norm.running_mean.detach().clone(), norm.running_var.detach().clone()
        scale, shift = scale_and_shift(mean, var, norm.weight, norm.bias, norm.eps)
        named = {"mean": mean, "var": var, "std": (var + norm.eps).sqrt(), "scale": scale, "shift": shift}
        for name, numbers in named.items():
            self.register_buffer(name, numbers, persistent=False)

    def before(self, moments: Tensor) -> Tensor:
        """The moments (N, 2, channels) of what went in, from those of what came out."""
        return torch.stack([(moments[:, 0] - self.shift) / self.scale, moments[:, 1] / self.scale.square()], 1)


class NormMoments(nn.Module):
    """Takes, in passes of a network, the moments of what goes into its batch norms.

    The network may be a copy in which scales and shifts have taken the place of batch norms, or nothing, where they
    are folded into the convolution before them. Then they are computed back from that convolution's output, which
    differs from the norm's input by a scale and a shift of each channel.

    Args:
        network: whose passes are watched, until ``close``.
        original: the network with its batch norms.
    """

    def __init__(self, network: nn.Module, original: nn.Module) -> None:
        super().__init__()
        self._running = nn.ModuleList()
        self._taken: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._active = False  # several may share a network: each takes what its own passes show
        self._handles: list[RemovableHandle] = []
        self.running: dict[str, RunningMoments] = {}  # by the keys of what has been taken
        for name in eval_norms(original):
            norm, module = original.get_submodule(name), network.get_submodule(name)
            assert isinstance(norm, _BatchNorm)
            running = RunningMoments(norm)
            self._running.append(running)
            folded = not isinstance(module, _BatchNorm | ScaleShift)
            self._handles.append(module.register_forward_pre_hook(self._hook(name, running, folded)))

    def start(self) -> None:
        """Take the moments of the pass that follows."""
        self._taken, self._counts, self._active = {}, {}, True

    def stop(self) -> dict[str, Tensor]:
        """Mean and variance over positions, (N, 2, channels), of each norm's input in the pass that is over, by a key.

        Inputs without positions, of which a picture has no variance, are left out.
        """
        taken, self._taken, self._active = self._taken, {}, False
        return taken

    def _hook(self, name: str, running: RunningMoments, folded: bool) -> Any:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if not self._active or inputs[0].ndim < 3:
                return
            self._counts[name] = self._counts.get(name, 0) + 1
            key = f"moments into {name}:{self._counts[name]}"
            moments = moments_of(inputs[0])
            self._taken[key] = running.before(moments) if folded else moments
            self.running.setdefault(key, running)

        return hook

    def close(self) -> None:
        """Take the hooks off the network."""
        while self._handles:
            self._handles.pop().remove()


def moments_of(features: Tensor) -> Tensor:
    """Mean and (biased) variance over the positions, (N, 2, channels), of feature maps (N, channels, ...)."""
    moments: Tensor = _Moments.apply(features)
    return moments


def can_be_computed_back(norm: nn.Module) -> bool:
    """Whether what goes into a batch norm can be told from what comes out, in all of its channels."""
    assert isinstance(norm, _BatchNorm)
    if not norm.affine:
        return True
    least = SMALLEST_SCALE * norm.bias.detach().abs().clamp_min(1)
    return bool((norm.weight.detach().abs() >= least).all())


class _Moments(torch.autograd.Function):
    """In as few passes over the feature maps as can be; they may be overwritten afterwards."""

    @staticmethod
    @override
    def forward(ctx: Any, features: Tensor) -> Tensor:
        axes = tuple(range(2, features.ndim))
        mean = features.mean(axes, keepdim=True)
        centered = features - mean
        ctx.positions = features[0, 0].numel()
        ctx.save_for_backward(centered)
        dtype = torch.promote_types(features.dtype, torch.float32)
        var = centered.to(dtype).square().mean(axes)
        return torch.stack([mean.flatten(1).to(dtype), var], 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (centered,) = ctx.saved_tensors
        shape = *centered.shape[:2], *[1] * (centered.ndim - 2)
        of_mean, of_var = (gradients[0] / ctx.positions).to(centered.dtype).unbind(1)
        return torch.addcmul(of_mean.view(shape), centered, 2 * of_var.view(shape))
