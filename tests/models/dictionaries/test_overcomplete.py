"""Checkpoints of overcomplete: their encoders in eval mode, by torch's own modules."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from featviz.errors import FeatvizError
from featviz.models.dictionaries import read_dictionary

CHANNELS, CONCEPTS = 6, 4


def state(norm: nn.Module | None) -> tuple[nn.Module, dict[str, Any]]:
    """An encoder as overcomplete names its parts, and the state dict of the autoencoder."""
    torch.manual_seed(0)
    block = nn.Sequential(nn.Linear(CHANNELS, CONCEPTS), norm or nn.Identity()).eval()
    if isinstance(norm, nn.BatchNorm1d):
        for value in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            assert value is not None
            value.data.uniform_(0.5, 2)
    parts = {f"encoder.final_block.{name}": value for name, value in block.state_dict().items()}
    dictionary = {"dictionary._weights": torch.randn(CONCEPTS, CHANNELS), "dictionary.multiplier": torch.tensor(0.7)}
    return block, {**parts, **dictionary}


@pytest.mark.parametrize("norm", [None, nn.BatchNorm1d(CONCEPTS)])
def test_codes_and_directions_are_the_same(norm: nn.Module | None, tmp_path: Path) -> None:
    block, saved = state(norm)
    torch.save({"state_dict": saved, "top_k": 2}, tmp_path / "sae.pt")
    torch.save(saved, tmp_path / "plain.pth")
    read, plain = read_dictionary(tmp_path / "sae.pt"), read_dictionary(tmp_path / "plain.pth")
    rows = torch.randn(5, CHANNELS)
    with torch.no_grad():
        expected = block(rows).relu()
    torch.testing.assert_close(plain.encoder()(rows[:, :, None, None])[:, :, 0, 0], expected)
    torch.testing.assert_close(read.W_dec, saved["dictionary._weights"] * torch.tensor(0.7).exp())
    assert (plain.activation, read.activation, read.k) == ("relu", "topk", 2)


@pytest.mark.parametrize("tied", [True, False])
def test_a_tied_encoder_is_its_dictionary(tied: bool, tmp_path: Path) -> None:
    weights = torch.randn(CONCEPTS, CHANNELS)
    own = {"encoder.tied_to._weights": weights} if tied else {"encoder.weight": 2 * weights}
    torch.save({"dictionary._weights": weights, **own}, tmp_path / "sae.pt")
    torch.testing.assert_close(read_dictionary(tmp_path / "sae.pt").W_enc.T, weights * (1 if tied else 2))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"encoder.mlp_blocks.0.0.weight": torch.zeros(6, 6)}, "its encoder has encoder.mlp_blocks.0.0.weight"),
        ({"encoder.final_block.1.weight": torch.zeros(4)}, "a norm of each activation"),
        ({"dictionary._weights": torch.zeros(4)}, "has the shape [4]"),
        ({"dictionary._weights": "none"}, "it holds no dictionary"),
    ],
)
def test_other_encoders_are_refused(changed: dict[str, Any], words: str, tmp_path: Path) -> None:
    torch.save({**state(None)[1], **changed}, tmp_path / "sae.pt")
    with pytest.raises(FeatvizError) as refused:
        read_dictionary(tmp_path / "sae.pt")
    assert words in str(refused.value)
