"""The layers of a network, as its forward pass has shown them, by the names that people type."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

import torch

from featviz.errors import FeatvizError
from featviz.filters import LOGITS
from featviz.models.dictionaries import Dictionary, Source, read_dictionary
from featviz.models.layouts import Layout
from featviz.models.model import Model
from featviz.models.output_keys import OUTPUT
from featviz.shapes import Shape, Size

log = logging.getLogger(__name__)

OF_FILE = "@"  # between a layer's name and the file of a dictionary of concepts
DEFAULT = "layer4"  # what a run shows without another layer: of a network with fewer stages, the last one
MEMBER_MEAN = "MemberMean"  # of an ensemble: what its members answer with, and nothing that comes after it
PROBABILITIES = ("Softmax", "LogSoftmax", "Sigmoid", "LogSigmoid", "Tanh")


@dataclass(frozen=True)
class Layer:
    """A module of a network as a forward pass has seen it."""

    name: str
    type: str
    calls: int = 0
    shape: tuple[int, ...] | None = None
    layout: Layout | None = None
    returned: str = "nothing"
    has_weights: bool = False
    key: str = ""  # of the tensor in what the module returns, where that is a dict or a tuple: [out]
    codes_of: Layer | None = None  # the layer whose activations its filters, which are concepts, are codes of
    dictionary: Dictionary | None = field(default=None, compare=False)  # of the concepts

    @property
    def base(self) -> Layer:
        """The layer that the network has itself: this one, or that of the concepts."""
        return self.codes_of or self

    @property
    def channels(self) -> int | None:
        """How many filters it has, where its output holds filters."""
        return self.shape[self.layout.channel_axis] if self.shape and self.layout else None

    @property
    def side(self) -> float | None:
        """Positions of its feature map along a side; of one that is no square, of the square with as many."""
        if self.shape is None or self.layout is None or len(self.shape) < 3:
            return None
        if len(self.shape) == 3:
            return float(
                (self.shape[3 - self.layout.channel_axis - self.layout.batch_axis] - self.layout.prefix_tokens) ** 0.5
            )
        return Shape(self.shape[-2:] if self.layout.channel_axis == 1 else self.shape[-3:-1]).side

    def stride(self, size: Size) -> int | None:
        """Pixels of the input from one position of its feature map to the next, for an input of ``size`` px."""
        side = self.side
        return round(Shape.of(size).side / side) if side and side > 1 else None


@dataclass
class Trace:
    """All modules of a network, the called ones in the order in which they finish."""

    layers: dict[str, Layer]
    shape: Shape  # of the pictures: height and width, behind the frames of films
    accepts_other_sizes: bool
    stages: dict[str, str] = field(default_factory=dict)
    multiple: int = 1  # of so many px the sides of pictures must be
    aliases: dict[str, str] = field(default_factory=dict)  # further names of modules that have several
    single_calls: dict[str, Layer] = field(default_factory=dict)  # name:1, name:2, ... of modules called several times
    finished: dict[str, int] = field(default_factory=dict)  # when in the pass each layer, and each single call, ends
    returned: Layer | None = None  # what the network itself returns, where that is a tensor
    varying: dict[str, tuple[int, int]] = field(default_factory=dict)  # calls for noise and for gray, where they differ

    model: Model | None = None  # the network that has been traced, and its weights

    _told: set[str] = field(default_factory=set)  # layers that have been spoken of

    @property
    def size(self) -> Size:
        """Of the pictures, in px: one number for a square."""
        return self.shape.size

    def stride(self, layer: Layer) -> int | None:
        """The stride of a layer in px; of one without positions, the largest of the network, if it has any."""
        own, others = layer.stride(self.size), (each.stride(self.size) or 0 for each in self.layers.values())
        return own or max(others, default=0) or None

    def resolve(self, name: str) -> Layer:
        """The layer of a module or stage name; FeatvizError where there is none, or none that can be used."""
        module = self.stages.get(name, name)
        layer = self.layers.get(self.aliases.get(module, module)) or self._single_call(name)
        if layer is None and OF_FILE in name:
            return self._concepts(*name.split(OF_FILE, 1))
        if layer is None and name == LOGITS:
            return self._logits()
        if layer is None and name == OUTPUT:
            layer = self.returned
        if layer is None and name == DEFAULT and (last := self._last()):
            return last
        if layer is None and name == OUTPUT and (tensors := self._tensors_in(OUTPUT)):
            what = f"layer '{OUTPUT}': the network returns no single tensor"
            raise FeatvizError(what, setting="layer", got=name, expected=", ".join(tensors))
        if layer is None:
            known = [*self.stages, LOGITS, OUTPUT, *(n for n, at in self.layers.items() if at.layout)]
            what, hint = f"unknown layer '{name}'", "task=layers lists them all"
            raise FeatvizError(what, setting="layer", got=name, known=known, hint=hint)
        self._check_calls(name, layer)
        if layer.layout is None:
            what = f"layer '{name}' hands out {layer.returned}, not feature maps"
            expected = ", or ".join(filter(None, ("a layer inside it", ", ".join(self._tensors_in(layer.name)))))
            raise FeatvizError(what, setting="layer", got=name, expected=expected)
        return layer

    def _tensors_in(self, module: str) -> list[str]:
        """The names of the first tensors in what a module returns, where that is a dict or a tuple."""
        return [n for n, at in self.layers.items() if at.key and at.layout and n == f"{module}{at.key}"][:4]

    def _concepts(self, name: str, file: str) -> Layer:
        """The concepts of a layer, of a dictionary in a file, as a layer whose filters they are."""
        layer = self.resolve(name)
        if not file:
            what = f"layer '{name}{OF_FILE}' names no file of concepts"
            raise FeatvizError(what, setting="layer", got=f"{name}{OF_FILE}", expected=f"{name}{OF_FILE}FILE")
        dictionary = read_dictionary(file)
        dictionary.check_source(self.source(name), file)
        found = f"{layer.name}{OF_FILE}{dictionary.label}"
        assert layer.shape is not None  # resolve refuses others
        assert layer.layout is not None
        maps = layer.layout.feature_maps(torch.empty(layer.shape, device="meta"), self.shape)
        if layer.name in self.finished:
            self.finished[found] = self.finished[layer.name]
        if dictionary.source is None and found not in self._told:
            self._told.add(found)
            log.warning("%s does not say of which layer and network its concepts are", file)
        return replace(
            layer,
            name=found,
            type=f"concepts by {dictionary.method}",
            shape=(1, dictionary.concepts, *maps.shape[2:]),
            layout=Layout(1, ordered=layer.layout.ordered),
            has_weights=True,
            codes_of=layer,
            dictionary=dictionary,
        )

    def source(self, name: str) -> Source:
        """What a dictionary of a layer's activations says of its origin."""
        layer, model = self.resolve(name), self.model
        assert model is not None  # which trace has handed over
        channels = layer.channels or 0
        return Source(model.name, model.checksum, name, layer.name, channels, tuple(model.mean), tuple(model.std))

    def _last(self) -> Layer | None:
        """What the default layer stands for in a network without it: the last stage, or else the last feature map."""
        maps = [n for n, at in self.layers.items() if at.calls and at.side and at.side > 1 and not at.key]
        names = list(self.stages.values()) or maps
        if not names:
            return None
        count = len(self.stages)
        words = f"the last stage of {count}" if count else "the last layer with positions"
        if DEFAULT not in self._told:
            self._told.add(DEFAULT)
            log.info("layer '%s' stands for %s, %s", DEFAULT, words, names[-1])
        return self.layers[names[-1]]

    def _check_calls(self, name: str, layer: Layer) -> None:
        """Refuse a layer that is never called; warn of one that is called as often as a picture wants, once."""
        noise, gray = self.varying.get(layer.name.partition(":")[0], (0, 0))
        calls = f"called {_times(noise)} for a picture of noise and {_times(gray)} for a gray one"
        if not layer.calls:
            how = calls if gray else "never called in a forward pass"
            raise FeatvizError(f"layer '{name}' is {how}: nothing can be seen of it", setting="layer", got=name)
        if noise != gray and layer.name not in self._told:
            self._told.add(layer.name)
            log.warning(
                "layer '%s' is %s: call %d is shown, and pictures of fewer are refused", name, calls, layer.calls
            )

    def _single_call(self, name: str) -> Layer | None:
        """One call of a module that is called several times: ``act:1`` is the first."""
        module, colon, number = name.rpartition(":")
        known = self.layers.get(self.aliases.get(module, module)) if colon and number.isdigit() else None
        if known is None:
            return None
        if not 1 <= int(number) <= known.calls:
            hint = "its calls are counted from 1"
            what = f"layer '{name}': {known.name} is called {_times(known.calls)}; {hint}"
            raise FeatvizError(what, setting="layer", got=name, hint=hint)
        return self.single_calls.get(f"{known.name}:{number}", known)

    def hands_out_classes(self, layer: Layer, count: int) -> bool:
        """Whether the filters of a layer are the classes of a network that has so many: its logits, or what follows."""
        try:
            first = self.finished[self._logits().name]
        except FeatvizError:  # of a network for segmentation, say: its last layer
            first = max((self.finished.get(name, 0) for name, at in self.layers.items() if not at.key), default=0)
        is_last = self.finished.get(layer.name, -1) >= first
        return layer.channels == count and is_last and layer.dictionary is None

    def _logits(self) -> Layer:
        """The last module with nothing inside it that returns (1, classes), before any softmax or other squashing."""
        outer = {name.rpartition(".")[0] for name in self.layers}
        flat = [at for at in self.layers.values() if not at.key and at.layout and at.shape and len(at.shape) == 2]
        candidates = [layer for layer in flat if layer.name not in outer]
        while len(candidates) > 1 and candidates[-1].type != MEMBER_MEAN and _changes_nothing(*candidates[-2:]):
            candidates.pop()  # softmax, sigmoid, tanh, and also dropout, which changes nothing
        if not candidates or candidates[-1].type in PROBABILITIES:
            hint = "name the layer itself"
            what = f"layer 'logits': no module of the network hands out one number for each class; {hint}"
            raise FeatvizError(what, setting="layer", got=LOGITS, hint=hint)
        return candidates[-1]


def _changes_nothing(before: Layer, layer: Layer) -> bool:
    """Whether a layer has no weights, and hands out as many numbers as the one before it."""
    return not layer.has_weights and layer.shape == before.shape


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")
