"""Several networks as one: their weights from several checkpoints, or networks of several kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten

from featviz.errors import FeatvizError, shown
from featviz.models.display import Groups
from featviz.models.ensemble import Ensemble
from featviz.models.forward_arguments import Arguments
from featviz.models.hooks import device_of
from featviz.models.model import Model
from featviz.models.pixel_format import check_order_and_scale
from featviz.models.sources.own import load as load_own
from featviz.models.sources.told import Values, check_origin
from featviz.models.value_range import Range, check_range
from featviz.shapes import Size

EXPECTED = "a list of checkpoints, or of settings of model=own: '[{target: nets.A, weights: a.ckpt}]'"


#: The settings of model=own.
OF_MEMBERS = (
    *("target", "weights", "kwargs", "mean", "std", "size", "stages", "name", "seed", "weights_key", "in_channels"),
    *("classes", "channel_order", "scale", "range", "display", "forward"),
)


def load(
    members: Sequence[str | Mapping[str, Any]],
    target: str | None = None,
    kwargs: Mapping[str, Any] | None = None,
    mean: Values | None = None,
    std: Values | None = None,
    size: Size | None = None,
    name: str = "ensemble",
    seed: int = 0,
    weights_key: str | None = None,
    in_channels: int | None = None,
    classes: str | Sequence[str] | None = None,
    channel_order: str = "rgb",
    scale: float = 1.0,
    range: Range = None,
    forward: Arguments | None = None,
    display: Groups = None,
) -> Model:
    """Load several networks as one, whose layer ``mean`` is the mean of their answers.

    Args:
        members: the checkpoints of networks of ``target``; or for each its own settings, as of model=own, which go
            before the others: ``{target: nets.Small, weights: small.ckpt}``.
        target: as for :func:`featviz.models.sources.own.load`, and so are all others.

    Raises:
        FeatvizError: a network cannot be loaded, or one takes or gives another shape than the first.
    """
    check_range(range)
    check_order_and_scale(channel_order, scale)
    check_members(members, target)
    shared: dict[str, Any] = {"target": target, "kwargs": kwargs, "mean": mean, "std": std, "size": size, "seed": seed}
    shared |= {"weights_key": weights_key, "in_channels": in_channels, "classes": classes, "scale": scale}
    shared |= {"channel_order": channel_order, "range": range, "forward": forward, "display": display}
    each = [member if isinstance(member, Mapping) else {"weights": member} for member in members]
    return ensemble_of([load_own(**{**shared, **dict(own)}) for own in each], name)


def check_members(members: Sequence[str | Mapping[str, Any]], target: str | None) -> None:
    """Raise FeatvizError for what are no members, or a member whose class nobody names."""
    if isinstance(members, str) or not isinstance(members, Sequence) or not members:
        raise FeatvizError(setting="model.members", got=members, expected=EXPECTED)
    for member in members:
        if not isinstance(member, str | Mapping):
            raise FeatvizError(setting="model.members", got=members, expected=EXPECTED)
        if isinstance(member, str):
            check_origin(member, None)
        else:
            check_member(member)
        if target is None and (isinstance(member, str) or "target" not in member):
            what = f"model.target is missing: the class that the weights of {shown(member)} belong to"
            raise FeatvizError(what, setting="model.target", expected="model.target=package.module.Thing")


def check_member(member: Mapping[str, Any]) -> None:
    """Raise FeatvizError for settings of a member that model=own does not have, or weights that are not there."""
    for name in member:
        if name not in OF_MEMBERS:
            what = f"unknown setting '{name}' of a member"
            raise FeatvizError(what, setting="model.members", got=name, known=OF_MEMBERS)
    check_origin(member.get("weights"), member.get("weights_key"))


def ensemble_of(members: Sequence[Model], name: str = "ensemble") -> Model:
    """Several models as one; each gets what its own mean and std make of a picture.

    Raises:
        FeatvizError: they take pictures of other shapes or ranges than the first, or give other numbers of answers.
    """
    first = members[0]
    for at, member in enumerate(members[1:], 1):
        for what in ("in_channels", "size", "range"):
            if (ours := getattr(first, what)) != (theirs := getattr(member, what)):
                _refuse(at, member, f"{what.replace('_', ' ')} {shown(theirs)}, not {shown(ours)}")
        if (theirs := _answers(member)) != (ours := _answers(first)):
            _refuse(at, member, f"answers of shape {theirs}, not {ours}")
    alike = all((member.mean, member.std) == (first.mean, first.std) for member in members)
    if not alike:
        for member in members:
            member.network.register_forward_pre_hook(_Normalize(member))
    mean, std = (first.mean, first.std) if alike else ((0.0,) * first.in_channels, (1.0,) * first.in_channels)
    network = Ensemble([member.network for member in members])
    weights = " + ".join(dict.fromkeys(member.weights for member in members))
    together = Model(name, network, mean, std, first.size, weights, {}, first.classes, first.in_channels, copied=False)
    together.range = first.range  # mean and std are those of the unit already
    together.display = first.display
    return together


def _refuse(at: int, member: Model, what: str) -> None:
    told = f"model.members: member {at} ({member.name}, {member.weights}) has {what} as the first"
    raise FeatvizError(told, setting="model.members", got=at, expected="members of one shape")


@torch.no_grad()
def _answers(model: Model) -> list[list[int]]:
    """The shapes of what a network returns for one picture."""
    leaves = tree_flatten(model.network(model.noise().to(device_of(model.network))))[0]
    return [list(leaf.shape) for leaf in leaves if isinstance(leaf, Tensor)]


class _Normalize:
    """Hands a member its own kind of pictures: in [0, 1] they come, normalized they go on."""

    def __init__(self, model: Model) -> None:
        self.normalization = model.normalization()

    def __call__(self, network: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        self.normalization.to(inputs[0].device)
        return self.normalization(inputs[0]), *inputs[1:]
