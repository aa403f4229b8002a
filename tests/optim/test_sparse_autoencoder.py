"""The sparse autoencoder: its directions, codes that are revived, and a dictionary that it finds again."""

import pytest
import torch
from scipy.optimize import linear_sum_assignment
from torch.nn import functional as F

from featviz.optim.sparse_autoencoder import ShuffledBatches, SparseAutoencoder, rate_at, strongest_codes
from featviz.tasks.concepts.autoencoder import train_autoencoder


def test_a_step_keeps_directions_at_length_one_and_turns_them() -> None:
    autoencoder, rows = SparseAutoencoder(8, 5, 2), torch.randn(64, 8)
    autoencoder.begin(rows)
    assert torch.equal(autoencoder.b_dec, rows.mean(0))
    optimizer, before = torch.optim.Adam(autoencoder.parameters(), 0.1), autoencoder.W_dec.detach().clone()
    autoencoder.training_step(rows).backward()
    autoencoder.on_before_optimizer_step(optimizer)
    assert autoencoder.W_dec.grad is not None
    torch.testing.assert_close((autoencoder.W_dec.grad * before).sum(1), torch.zeros(5), atol=1e-6, rtol=0)
    optimizer.step()
    autoencoder.on_train_batch_end()
    torch.testing.assert_close(autoencoder.W_dec.norm(dim=1), torch.ones(5))
    assert not torch.equal(autoencoder.W_dec, before)


def test_the_loss_is_what_codes_leave_of_activations() -> None:
    autoencoder, rows = SparseAutoencoder(8, 5, 2), torch.randn(64, 8)
    autoencoder.begin(rows)
    codes = autoencoder(rows)
    loss = (rows - autoencoder.decode(codes)).square().sum(1).mean()
    torch.testing.assert_close(autoencoder.training_step(rows), loss)
    assert ((autoencoder.unused == 0) == (codes > 0).any(0)).all()
    expected = torch.autograd.grad(loss, autoencoder.W_dec)
    torch.testing.assert_close(torch.autograd.grad(autoencoder.training_step(rows), autoencoder.W_dec), expected)


def test_dead_codes_get_a_gradient_from_what_the_others_leave() -> None:
    autoencoder, rows = SparseAutoencoder(8, 5, 1), torch.randn(64, 8)
    autoencoder.begin(rows)
    autoencoder.b_enc.data[3] = -100  # never among the largest
    assert _gradient_of(autoencoder, rows, 3) == 0
    autoencoder.unused[3] = autoencoder.dead_after + 1
    assert _gradient_of(autoencoder, rows, 3) == 0  # below zero for all rows: nothing to hold on to
    autoencoder.b_enc.data[3] = -1
    assert _gradient_of(autoencoder, rows, 3) > 0


def _gradient_of(autoencoder: SparseAutoencoder, rows: torch.Tensor, code: int) -> float:
    autoencoder.zero_grad()
    autoencoder.training_step(rows).backward()
    assert autoencoder.W_enc.grad is not None
    return autoencoder.W_enc.grad[:, code].abs().sum().item()


def test_codes_are_the_largest_ones_above_zero() -> None:
    codes = strongest_codes(torch.tensor([[3.0, -1, 2, 5], [-4, -3, -2, 1]]), 2)
    assert codes.tolist() == [[3, 0, 0, 5], [0, 0, 0, 1]]


@pytest.mark.parametrize("size", [3, 4, 100])
def test_each_pass_is_a_new_order_of_all_batches(size: int) -> None:
    batches = ShuffledBatches(torch.arange(12.0)[:, None], size, 0)
    first, second = ([row.item() for batch in batches for row in batch] for _ in range(2))
    assert len(batches) == 12 // min(size, 12)
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second


def test_the_learning_rate_rises_and_falls() -> None:
    rates = [rate_at(at / 100) for at in range(101)]
    assert rates[0] < rates[3] < rates[6] == max(rates) == 1
    assert rates[-1] == 0


def test_planted_directions_are_found_again() -> None:
    generator = torch.Generator().manual_seed(0)
    directions = F.normalize(torch.randn(6, 12, generator=generator), dim=1)
    used = torch.rand(2000, 6, generator=generator) < 0.2
    rows = (torch.rand(2000, 6, generator=generator) * used) @ directions
    found = train_autoencoder(rows.numpy(), 6, 2, 8, seed=0)
    likeness = directions @ found.W_dec.T
    places = linear_sum_assignment(-likeness)
    assert likeness[places].mean() > 0.95
    assert (found.method, found.activation, found.k) == ("sae", "topk", 2)


def test_the_same_seed_gives_the_same_dictionary() -> None:
    rows = torch.randn(200, 12, generator=torch.Generator().manual_seed(0)).numpy()
    labels = [train_autoencoder(rows, 6, 2, 1, seed).label for seed in (0, 0, 1)]
    assert labels[0] == labels[1] != labels[2]
