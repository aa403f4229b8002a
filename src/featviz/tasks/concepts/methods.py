"""How concepts are found: the choices of ``by``."""

from __future__ import annotations

from collections.abc import Callable

import torch
from omegaconf import DictConfig

from featviz.models.dictionaries import Dictionary
from featviz.photos.concepts.decompositions import by_kmeans, by_nmf, by_pca
from featviz.photos.concepts.positions import Rows
from featviz.tasks.concepts.autoencoder import train_autoencoder

#: From activations (positions, filters) and the configuration to a dictionary, on a device.
Find = Callable[[Rows, DictConfig, torch.device], Dictionary]

METHODS: dict[str, Find] = {
    "nmf": lambda rows, cfg, _: by_nmf(rows, cfg.concepts, cfg.seed),
    "pca": lambda rows, cfg, _: by_pca(rows, cfg.concepts),
    "kmeans": lambda rows, cfg, _: by_kmeans(rows, cfg.concepts, cfg.seed),
    "sae": lambda rows, cfg, device: train_autoencoder(rows, cfg.concepts, cfg.k, cfg.epochs, cfg.seed, device),
}
