"""Files of vectors."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from refusals import refusal_of

from featviz.objectives.vectors import read_vectors


@pytest.mark.parametrize("name", ["a.npy", "a.csv", "a.pt", "object.npy", "dict.pt", "nothing.csv"])
def test_a_file_without_vectors_is_told_without_advice_to_run_it(name: str) -> None:
    Path(name).write_text("notes\n" if name[0] == "a" else "")
    if name == "object.npy":
        np.save(name, np.array([{}], dtype=object))
    if name == "dict.pt":
        torch.save({"weights": 1}, name)
    error = refusal_of(lambda: read_vectors(name))
    assert error.setting == "objective.vectors"
    assert str(error.got) in (name, "[0, 1]")
    assert "load" not in str(error)


@pytest.mark.parametrize("name", ["vectors.npy", "vectors.csv", "vectors.pt"])
def test_every_kind_of_file_gives_the_same_vectors(name: str) -> None:
    vectors = np.arange(1, 7, dtype=np.float32).reshape(2, 3)
    writers: dict[str, Callable[[], None]] = {
        ".npy": lambda: np.save(name, vectors),
        ".csv": lambda: np.savetxt(name, vectors, delimiter=","),
        ".pt": lambda: torch.save(torch.from_numpy(vectors), name),
    }
    writers[Path(name).suffix]()
    np.testing.assert_array_equal(read_vectors(name), vectors)
