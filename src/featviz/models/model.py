"""What featviz knows of a network: the module, its preprocessing, its stages."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field
from functools import cached_property
from math import isfinite

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError, one_line
from featviz.models.display import Groups, channel_groups
from featviz.models.forward_arguments import Arguments, check_keys, give_arguments, given_arguments
from featviz.models.input_channels import find_in_channels
from featviz.models.input_size import find_size
from featviz.models.network_checks import check_axes, check_network, in_float32
from featviz.models.normalization import Normalization, changes_nothing
from featviz.models.pixel_format import check_pixel_format, for_unit_rgb, take_rgb
from featviz.models.preprocessing import preprocessing_of
from featviz.models.value_range import NONE, Range, channel_ranges, described, in_unit
from featviz.shapes import Shape, Size, check_size

STAGES = ("layer1", "layer2", "layer3", "layer4")


@dataclass
class Model:
    """A network with its weights and its preprocessing.

    The network is copied, frozen and put in eval mode; the one handed over stays as it is.

    Args:
        name: for titles and tables.
        network: the module; it takes pictures (N, C, H, W).
        mean: of the pictures it was trained on, for values from 0 to ``scale``; one number, or one for each input
            channel in the network's order. It is kept for RGB in [0, 1]. Without it, what the network says of itself:
            see :func:`featviz.models.preprocessing.preprocessing_of`.
        std: likewise.
        size: of its input, in px: 224 for a square, (36, 64) for height and width, (40, 36, 64) for films of so many
            frames; 0 takes what the network says, 224, or the first of other common sizes that fits.
        weights: where its weights come from: ``pretrained``, ``random``, ``given``, or a file's path.
        stages: module names for the stage names ``layer1`` to ``layer4`` (strides 4, 8, 16, 32); without them they are
            read off the network.
        classes: the names of its outputs, where they are known.
        in_channels: channels of its pictures; 0 finds out how many it takes.
        channel_order: of the pictures it was trained on: ``rgb``, or ``bgr`` as OpenCV and Caffe have them.
        scale: the largest value of the pictures it was trained on, before mean and std: 1, or 255.
        range: of values that are no colors, before mean and std: [low, high], such a pair for each channel, or
            ``none`` where they have no bounds. Pictures are then this range as [0, 1], or, without bounds, the values.
        display: which channels are shown together, a panel for each group: ``each`` channel by itself, groups such as
            ``[[0, 1, 2], [3]]``, or None for the first three; three are red, green and blue, others gray.
        forward: arguments of the network's forward beside the pictures, by name: ``{"data_key": "mouse1"}``.
        copied: False takes the network itself, which nobody else uses.

    Raises:
        FeatvizError: the network cannot be copied, or the settings do not fit it.
    """

    name: str
    network: nn.Module
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    size: Size = 0
    weights: str = "given"
    stages: dict[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    in_channels: int = 0
    channel_order: str = "rgb"
    scale: float = 1.0
    range: Range = None
    display: Groups = None
    forward: Arguments = field(default_factory=dict)
    copied: InitVar[bool] = True

    def __post_init__(self, copied: bool) -> None:
        """Freeze the network, put it in eval mode, and give each input channel its mean and std."""
        check_network(self.network)
        if copied:
            self.network = copied_network(self.network, f"model {self.name}: ")
        self.network = in_float32(self.network)
        set_eval(self.network)
        for parameter in self.network.parameters():
            parameter.requires_grad_(False)
        give_arguments(self.network, self.forward)
        self._find_input()
        self._take_unit_rgb()
        if not all(isfinite(value) for value in (*self.mean, *self.std)) or min(self.std) <= 0:
            what = f"model {self.name}: std must be above zero, and all finite; mean {self.mean}, std {self.std}"
            raise FeatvizError(what, setting="model.std", got=list(self.std))
        modules = [name for name, _ in self.network.named_modules() if name]
        for stage, module in self.stages.items():
            if stage not in STAGES:
                raise FeatvizError(
                    f"model {self.name}: stages are {', '.join(STAGES)}, not '{stage}'",
                    setting="model.stages",
                    got=stage,
                )
            if module not in modules:
                raise FeatvizError(
                    f"model {self.name}: {stage} is no module '{module}'",
                    got=module,
                    known=modules,
                    setting=f"model.stages.{stage}",
                )

    def _find_input(self) -> None:
        """Read off the network what nobody has told of its pictures, or find it by trying."""
        network, channels = self.network, [self.in_channels] if self.in_channels else []
        if self.size:
            check_size("model.size", self.size)
        self.size = Shape.of(self.size or preprocessing_of(network, 3).size or find_size(network, channels)).size
        check_axes(network, self.shape)
        self.in_channels = self.in_channels or find_in_channels(network, self.shape, _lengths(self.mean, self.std))
        if self.in_channels < 1:
            what = f"model {self.name} takes pictures of {self.in_channels} channels"
            raise FeatvizError(what, setting="model", got=self.in_channels, expected="1 or more")
        check_keys(network, self.forward, self.noise())
        default = preprocessing_of(network, self.in_channels).for_pixels(self.channel_order, self.scale)
        self.mean = _per_channel("mean", self.mean, default.mean, self.in_channels)
        self.std = _per_channel("std", self.std, default.std, self.in_channels)

    def _take_unit_rgb(self) -> None:
        """Have the network take what featviz makes, whatever it was trained on."""
        check_pixel_format(self.channel_order, self.scale, self.in_channels)
        self.mean, self.std = (for_unit_rgb(values, self.channel_order, self.scale) for values in (self.mean, self.std))
        if self.channel_order == "bgr":
            take_rgb(self.network)
        self.range = channel_ranges(self.range, self.in_channels, self.scale)
        self.display = channel_groups(self.display, self.in_channels)
        self.mean, self.std = in_unit(self.mean, self.std, self.range)

    @property
    def has_colors(self) -> bool:
        """Whether its pictures are colors, and not values of a range of their own, or without bounds."""
        return self.range is None

    @property
    def normalizes(self) -> bool:
        """Whether mean and std change pictures before the network gets them."""
        return not changes_nothing(self.mean, self.std)

    @property
    def bounded(self) -> bool:
        """Whether its pictures are in [0, 1]; otherwise they are values without bounds."""
        return self.range != NONE

    def __repr__(self) -> str:
        """What it is in one line; the network's own many lines are ``print(model.network)``."""
        kind, weights = type(self.network).__name__, self.weights
        classes = f", {len(self.classes)} classes" if self.classes else ""
        return f"Model({self.name!r}, {kind}, weights {weights}, {self.describe_input()}{classes})"

    @cached_property
    def checksum(self) -> str:
        """Sixteen digits that differ for other weights or arguments; the network is frozen, so they stay."""
        digest = hashlib.blake2b(digest_size=8)
        for name, value in self.network.state_dict().items():
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        for given in given_arguments(self.network):
            digest.update(given.encode())
        return digest.hexdigest()

    @property
    def shape(self) -> Shape:
        """Height and width of its input, behind the frames of films."""
        return Shape.of(self.size)

    def noise(self, size: Size | None = None) -> Tensor:
        """A picture (1, C, H, W), or a film, of noise in [0, 1], always the same, to try the network with."""
        shape = Shape.of(size or self.size)
        return torch.rand(1, self.in_channels, *shape, generator=torch.Generator().manual_seed(0))

    def normalization(self) -> Normalization:
        """What makes the network's numbers of its pictures in [0, 1]."""
        return Normalization(self.mean, self.std, len(self.shape))

    def describe_input(self) -> str:
        """What pictures it takes: ``3 x 64 x 64, mean 0.5, std 0.25``."""
        mean, std = (
            f"{values[0]:g}" if len(set(values)) == 1 else f"[{', '.join(f'{value:g}' for value in values)}]"
            for values in (self.mean, self.std)
        )
        words = f"{self.in_channels} x {self.shape.each()}, mean {mean}, std {std}"
        words += "" if self.scale == 1 else f", for values from 0 to 1; the network's own reach {self.scale:g}"
        if told := described(self.range):  # type: ignore[arg-type]  # as channel_ranges has left it
            words += f", values {told}" if not self.bounded else f", for [0, 1]; the network's own values go {told}"
        return words + (", in the order BGR" if self.channel_order == "bgr" else "")

    @property
    def label(self) -> str:
        """The name for titles and tables; says so when the weights are random."""
        return f"{self.name} (random weights)" if self.weights == "random" else self.name


def set_eval(network: nn.Module) -> None:
    """Put all modules in eval mode; not by ``eval``, since a network may define ``train`` to mean something else."""
    for module in network.modules():
        module.training = False


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw a new network's weights from ``seed``, and leave torch's global random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def copied_network(network: nn.Module, of: str = "") -> nn.Module:
    """A copy of a network; FeatvizError, which begins with ``of``, where it cannot be copied."""
    try:
        return copy.deepcopy(network)
    except Exception as error:  # deepcopy runs whatever the network's parts define
        kind = type(network).__name__
        raise FeatvizError(f"{of}{kind} cannot be copied: {one_line(error)}", setting="model", got=network) from error


def _lengths(*values: float | Sequence[float] | None) -> list[int]:
    """How many channels mean and std speak of, where they have a number for each."""
    return [len(each) for each in values if each is not None and not isinstance(each, int | float) and len(each) > 1]


def _per_channel(
    what: str, values: float | Sequence[float] | None, default: Sequence[float], channels: int
) -> tuple[float, ...]:
    told = default if values is None or values == () else values
    numbers = (float(told),) if isinstance(told, int | float) else tuple(float(v) for v in told)
    if len(numbers) == 1:
        return numbers * channels
    if len(numbers) != channels:
        raise FeatvizError(
            f"{what} has {len(numbers)} numbers, but the network takes {channels} channels",
            setting=f"model.{what}",
            got=list(numbers),
        )
    return numbers
