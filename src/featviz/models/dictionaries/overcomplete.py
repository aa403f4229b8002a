"""State dicts of the sparse autoencoders of ``overcomplete`` (Fel et al. 2025, arXiv 2502.12892)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from featviz.errors import FeatvizError

DICTIONARY, MULTIPLIER = "dictionary._weights", "dictionary.multiplier"
LAST, NORM = "encoder.final_block.0", "encoder.final_block.1"
EPS = 1e-5  # of torch's batch norms
EXPECTED = "a state dict of an autoencoder of overcomplete with a linear encoder, or a batch norm behind it"


def from_overcomplete(content: Any) -> tuple[dict[str, Tensor], int]:
    """The weights of a state dict, under the usual names of autoencoders, and how many codes it keeps.

    The number is 0 where there is none beside the state dict, as ``{"state_dict": ..., "top_k": 8}`` has it.

    Raises:
        FeatvizError: it is no state dict of such an autoencoder.
    """
    k = content.get("top_k", 0) if isinstance(content, Mapping) else 0
    state = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not isinstance(state.get(DICTIONARY), Tensor):
        raise FeatvizError("it holds no dictionary", got=type(content).__name__, expected=EXPECTED)
    if not isinstance(k, int) or isinstance(k, bool) or k < 0:
        raise FeatvizError(setting="top_k", got=k, expected="a whole number")
    tensors = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    W_dec = tensors[DICTIONARY].float() * tensors.get(MULTIPLIER, torch.zeros(())).float().exp()
    if W_dec.ndim != 2:
        raise FeatvizError(f"{DICTIONARY} has the shape {list(W_dec.shape)}", expected="(concepts, channels)")
    W_enc, b_enc = _encoder(tensors, W_dec)
    return {"W_enc": W_enc.T, "b_enc": b_enc, "W_dec": W_dec, "b_dec": torch.zeros(W_dec.shape[1])}, k


def _encoder(tensors: Mapping[str, Tensor], W_dec: Tensor) -> tuple[Tensor, Tensor]:
    """The matrix (concepts, channels) and the bias of the encoder, the norm behind it taken in."""
    names = {name for name in tensors if name.startswith("encoder.") and not name.startswith("encoder.tied_to.")}
    zero = torch.zeros(len(W_dec))
    if names <= {"encoder.weight", "encoder.bias"}:  # tied to the dictionary, or once so
        return tensors.get("encoder.weight", W_dec).float(), tensors.get("encoder.bias", zero).float()
    if others := sorted(name for name in names if not name.startswith((f"{LAST}.", f"{NORM}."))):
        raise FeatvizError(f"its encoder has {others[0]}", got=others[0], expected=EXPECTED)
    W_enc, b_enc = tensors[f"{LAST}.weight"].float(), tensors.get(f"{LAST}.bias", zero).float()
    if not any(name.startswith(NORM) for name in names):
        return W_enc, b_enc
    if f"{NORM}.running_var" not in tensors:
        raise FeatvizError("its encoder has a norm of each activation", got=NORM, expected=EXPECTED)
    scale = tensors[f"{NORM}.weight"].float() / (tensors[f"{NORM}.running_var"].float() + EPS).sqrt()
    shift = tensors[f"{NORM}.bias"].float() - tensors[f"{NORM}.running_mean"].float() * scale
    return W_enc * scale[:, None], b_enc * scale + shift
