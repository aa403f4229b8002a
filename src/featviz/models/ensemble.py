"""Several networks as one, which answers with the mean of their answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from featviz.errors import FeatvizError
from featviz.models.changed_gradients import ChangedGradients
from featviz.models.comparison import same


class Ensemble(nn.Module):
    """Several networks for the same pictures, ``members.0``, ``members.1``, ...; it returns the mean of their outputs.

    Members of one architecture with convolutions, such as those that were trained from several starts, go through a
    single pass with stacked weights, as long as nobody looks at modules inside them; others come one after the other.
    Dicts and tuples have the mean of each of their tensors.

    Args:
        members: networks whose outputs have the same shapes.

    Raises:
        FeatvizError: there is none.

    Example:
        >>> two = Ensemble([nn.Linear(4, 3), nn.Linear(4, 3)])
        >>> two(torch.zeros(1, 4)).shape
        torch.Size([1, 3])
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        if not members:
            raise FeatvizError(setting="model.members", got=list(members), expected="networks, one or more")
        self.members = nn.ModuleList(members)
        self.mean = MemberMean()
        self._stacked = StackedPass()

    def forward(self, *inputs: Any, **arguments: Any) -> Any:
        """Return the mean of what the members return."""
        outputs = self._stacked(list(self.members), inputs, arguments)
        return self.mean(outputs or [member(*inputs, **arguments) for member in self.members])


class MemberMean(nn.Module):
    """The mean of outputs of one kind: tensors, or dicts and tuples of them."""

    def forward(self, outputs: Sequence[Any]) -> Any:
        """Return it."""
        return tree_map(lambda *leaves: torch.stack(leaves).mean(0), *outputs)


class StackedPass:
    """One pass through several networks of one architecture, by torch.vmap; it gives None where there can be none."""

    def __init__(self) -> None:
        self._key: tuple[Any, ...] = ()
        self._state: Any = None

    def __call__(self, members: list[nn.Module], inputs: Any, arguments: dict[str, Any]) -> list[Any] | None:
        """The outputs of the members; the first time, they are compared with those that come one after the other."""
        if len(members) < 2 or ChangedGradients.active:
            return None
        if any(module._forward_hooks for member in members for module in member.modules()):
            return None  # somebody looks at modules inside of members
        tensors = [tensor for member in members for tensor in (*member.parameters(), *member.buffers())]
        key = tuple((tensor.data_ptr(), tensor._version) for tensor in tensors)
        if key != self._key:
            self._key, self._state = key, None
            if _one_architecture(members) and _same_outputs(members, inputs, arguments):
                self._state = _stacked_state(members)
        return None if self._state is None else _pass(members[0], self._state, inputs, arguments)

    def __deepcopy__(self, memo: Any) -> StackedPass:
        """A copy has weights of its own."""
        return StackedPass()

    def __reduce__(self) -> Any:
        """Weights travel once."""
        return StackedPass, ()


def _one_architecture(members: Sequence[nn.Module]) -> bool:
    """Whether members differ in weights alone; and have convolutions: others take longer together on a CPU."""
    shapes = [{name: value.shape for name, value in member.state_dict().items()} for member in members]
    kinds = {type(member) for member in members}
    convolved = any(isinstance(module, nn.modules.conv._ConvNd) for module in members[0].modules())
    return convolved and len(kinds) == 1 and all(each == shapes[0] for each in shapes)


def _stacked_state(members: list[nn.Module]) -> Any:
    parameters, buffers = stack_module_state(members)
    return {name: value.detach() for name, value in parameters.items()}, buffers


def _pass(network: nn.Module, state: Any, inputs: Any, arguments: dict[str, Any]) -> list[Any]:
    def one(parameters: Any, buffers: Any) -> Any:
        return functional_call(network, (parameters, buffers), inputs, arguments)

    leaves, kind = tree_flatten(vmap(one)(*state))
    count = len(next(iter(state[0].values())))
    return [tree_unflatten([leaf[at] for leaf in leaves], kind) for at in range(count)]


@torch.no_grad()
def _same_outputs(members: list[nn.Module], inputs: Any, arguments: dict[str, Any]) -> bool:
    """Whether a pass with stacked weights gives what the members give."""
    try:
        together = _pass(members[0], _stacked_state(members), inputs, arguments)
    except Exception:  # of any kind: the network does what vmap cannot follow
        return False
    apart = [member(*inputs, **arguments) for member in members]
    pairs = zip(tree_flatten(apart)[0], tree_flatten(together)[0], strict=True)
    return all(same(one, other) for one, other in pairs if isinstance(one, Tensor))
