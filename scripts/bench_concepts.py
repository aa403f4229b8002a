"""What task=concepts finds, how fast, and in how much memory.

    python scripts/bench_concepts.py planted
    python scripts/bench_concepts.py positions data=PHOTOS output=layer3.npy
    python scripts/bench_concepts.py autoencoders data=layer3.npy
    python scripts/bench_concepts.py memory photos=500
    python scripts/bench_concepts.py pictures data=PHOTOS output=FOLDER

``planted`` has every method find 32 directions of which activations are sparse sums, and tells their mean cosines with
those that were planted, each with one found (Hungarian). ``positions`` writes a layer's activations as a .npy file,
which ``data`` takes in the place of photos. ``autoencoders`` trains our sparse autoencoder and that of ``overcomplete``
(pip install overcomplete, in an environment of its own) on the same activations, with equal k, width, epochs and
batches, on the machine's GPU if it has one; overcomplete's at each of ``rates``, of which the best counts. Times are
those that the process itself has had of its CPU. ``memory`` streams so many small photos of noise through the model as
task=concepts does, and prints the peak memory of the process. ``pictures`` makes pictures of concepts and of the
layer's own filters, and compares their evidence.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib
import numpy as np
import torch
from arguments import answer_help
from omegaconf import OmegaConf
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

import featviz
from featviz.models.dictionaries import Dictionary
from featviz.models.dictionaries.files import of_autoencoder
from featviz.models.dictionaries.overcomplete import from_overcomplete
from featviz.optim.sparse_autoencoder import ShuffledBatches
from featviz.photos.concepts.decompositions import by_kmeans, by_nmf, by_pca
from featviz.photos.concepts.positions import Rows
from featviz.photos.concepts.quality import quality_of
from featviz.tasks.concepts.autoencoder import LARGEST, train_autoencoder

ATOMS, DIMENSIONS, SAMPLES, USED = 32, 64, 20_000, 4  # of planted dictionaries; how many a sample is a sum of
EVIDENCE = ("selectivity", "selectivity_rank", "robustness")


@dataclass
class Settings:
    """What is measured."""

    data: str = ""
    model: str = "efficientnet_lite0"
    layer: str = "layer3"
    positions: int = 200_000
    concepts: int = 512
    k: int = 8
    epochs: int = 20
    units: int = 64
    photos: int = 500
    by: str = "sae"
    output: str = "outputs/bench_concepts"
    file: str = ""  # of concepts; those of ``data`` are found without one
    overrides: list[str] = field(default_factory=list)  # of the pictures' settings
    rates: list[float] = field(default_factory=lambda: [5e-4, 2e-3])  # of overcomplete; the first is its README's


def planted(settings: Settings) -> None:
    """Directions that are known, found by every method."""
    generator = torch.Generator().manual_seed(0)
    atoms = F.normalize(torch.randn(ATOMS, DIMENSIONS, generator=generator), dim=1)
    used = torch.rand(SAMPLES, ATOMS, generator=generator) < USED / ATOMS
    noise = 0.01 * torch.randn(SAMPLES, DIMENSIONS, generator=generator)
    rows = ((torch.rand(SAMPLES, ATOMS, generator=generator) * used) @ atoms + noise).numpy()
    methods: dict[str, Any] = {
        "sae": lambda: train_autoencoder(rows, ATOMS, USED, settings.epochs, 0),
        "nmf": lambda: by_nmf(rows, ATOMS, 0),
        "pca": lambda: by_pca(rows, ATOMS),
        "kmeans": lambda: by_kmeans(rows, ATOMS, 0),
    }
    for name, find in methods.items():
        start = time.monotonic()
        found = find()
        seconds, cosines = time.monotonic() - start, atoms @ F.normalize(found.W_dec, dim=1).T
        cosines = cosines.abs() if name == "pca" else cosines  # whose directions have no sign
        matched = cosines[linear_sum_assignment(-cosines)]
        quality = quality_of(found, rows)
        print(f"{name}: cosine {matched.mean():.3f} (least {matched.min():.3f}), R2 {quality.r2:.3f}, {seconds:.1f} s")


def activations(settings: Settings) -> Rows:
    """The activations that task=concepts keeps of photos; those of a .npy file, which are kept by ``positions``."""
    if settings.data.endswith(".npy"):
        return np.load(settings.data)
    from featviz.config.build import build_model
    from featviz.config.compose import compose_default
    from featviz.models.tracing import trace
    from featviz.photos.files import find_photos
    from featviz.tasks.concepts.find import collect

    cfg = compose_default([f"model={settings.model}", "task=concepts", f"positions={settings.positions}"])
    model = build_model(cfg)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    files = find_photos(settings.data)
    return collect(cfg, model, trace(model), (settings.layer,), files, device).rows[settings.layer]


def positions(settings: Settings) -> None:
    """A layer's activations, in a file."""
    np.save(settings.output, activations(settings))


def autoencoders(settings: Settings) -> None:
    """Ours and overcomplete's."""
    rows = activations(settings)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    print(f"{len(rows)} positions, {rows.shape[1]} filters; {name}")
    train_autoencoder(
        rows[:5000], settings.concepts, settings.k, 1, 0, device
    )  # so that neither pays for the first use
    start = time.process_time()
    ours = train_autoencoder(rows, settings.concepts, settings.k, settings.epochs, 0, device)
    _tell("featviz", ours, rows, time.process_time() - start)
    for rate in settings.rates:
        start = time.process_time()
        theirs = _of_overcomplete(rows, settings, rate, device)
        _tell(f"overcomplete, lr {rate:g}", theirs, rows, time.process_time() - start)


def _of_overcomplete(rows: Rows, settings: Settings, rate: float, device: torch.device) -> Dictionary:
    """As its README trains it, on what ours is trained on: activations without their mean, of variance one."""
    matplotlib.cm.get_cmap = matplotlib.colormaps.get_cmap  # which overcomplete 0.3 imports, and 3.9 does not have
    from overcomplete.sae import TopKSAE, train_sae

    torch.manual_seed(0)
    given = torch.from_numpy(rows)
    mean, scale = given.mean(0), given.var(0).sum().sqrt()
    batches = DataLoader(ShuffledBatches(((given - mean) / scale).to(device), LARGEST, 0), batch_size=None)
    sae = TopKSAE(rows.shape[1], nb_concepts=settings.concepts, top_k=settings.k, device=str(device))
    optimizer = torch.optim.Adam(sae.parameters(), lr=rate)

    def criterion(x: Tensor, x_hat: Tensor, *_: Tensor) -> Tensor:
        return (x - x_hat).square().mean()

    train_sae(sae, batches, criterion, optimizer, nb_epochs=settings.epochs, monitoring=0, device=str(device))
    sae.eval()
    weights, _ = from_overcomplete({name: value.cpu() for name, value in sae.state_dict().items()})
    weights = {**weights, "b_enc": weights["b_enc"] * scale, "b_dec": mean}
    return of_autoencoder(weights, settings.k)


def _tell(name: str, dictionary: Dictionary, rows: Rows, seconds: float) -> None:
    quality = quality_of(dictionary, rows)
    print(f"{name}: R2 {quality.r2:.4f}, L0 {quality.l0:.2f}, {quality.dead} dead, {seconds:.1f} s of CPU", flush=True)


def memory(settings: Settings) -> None:
    """The peak of a process that streams so many photos."""
    from PIL import Image

    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(settings.photos):
            noise = random.integers(0, 256, (64, 64, 3), np.uint8)
            Image.fromarray(noise).save(f"{folder}/{number:06d}.jpg")
        limits = [f"positions={settings.positions}", "k=4", "epochs=1"]
        featviz.concepts(settings.model, folder, settings.layer, 16, settings.by, overrides=limits)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{settings.photos} photos: {peak:.0f} MiB at most")


def pictures(settings: Settings) -> None:
    """Concepts and filters of the same layer, in pictures."""
    output, numbers = Path(settings.output), f"0-{settings.units - 1}"
    file = Path(settings.file)
    if not settings.file:
        found = output / settings.by
        featviz.concepts(settings.model, settings.data, settings.layer, settings.units, settings.by, output=found)
        (file,) = found.glob("*.safetensors")
    for kind, layer in {"concepts": f"{settings.layer}@{file}", "filters": settings.layer}.items():
        rows = featviz.visualize(
            settings.model, layer, numbers, output=output / kind, overrides=settings.overrides
        ).rows
        made = [row for row in rows if row["status"] == "ok"]
        figures = {name: median(row[name] for row in made) for name in EVIDENCE if name in made[0]}
        weak = sum(row["reason"].startswith("weak") for row in made)
        told = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
        print(f"{kind}: {len(made)} of {len(rows)} made, {weak} weak, {told}", flush=True)


if __name__ == "__main__":
    answer_help(__doc__, least=1)
    chosen = {function.__name__: function for function in (planted, positions, autoencoders, memory, pictures)}
    typed = OmegaConf.merge(OmegaConf.structured(Settings), OmegaConf.from_cli(sys.argv[2:]))
    settings = OmegaConf.to_object(typed)
    assert isinstance(settings, Settings)
    chosen[sys.argv[1]](settings)
