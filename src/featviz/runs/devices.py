"""What a run is computed on: the devices that Lightning's trainer takes, and how exactly they compute."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.util import find_spec
from shutil import which

import torch
from lightning import Trainer

from featviz.errors import FeatvizError

PRECISIONS = ("32-true", "32", "bf16-mixed", "16-mixed")  # the pictures and the kernels for transforms are float32


@dataclass(frozen=True)
class Hardware:
    """The devices that share a run's chunks (one CPU may stand several times), and the precision as configured.

    ``forward_context`` opens the context in which that precision's passes are made.
    """

    devices: tuple[torch.device, ...]
    precision: str
    forward_context: Callable[[], AbstractContextManager[None]]

    @classmethod
    def of(cls, trainer: Trainer, precision: str | None) -> Hardware:
        """What a trainer computes on.

        Raises:
            FeatvizError: there are not as many devices, or they cannot compute in that precision.
        """
        root, count = trainer.strategy.root_device, trainer.num_devices
        cores = os.cpu_count() or 1
        if root.type == "cpu" and count > cores:
            raise FeatvizError(
                f"trainer.devices is {count}, but this machine has {cores} CPU cores",
                setting="trainer.devices",
                got=count,
            )
        precision = str(precision or "32-true")
        if root.type == "cpu" and precision.startswith("16"):  # Lightning would take another
            raise FeatvizError(
                f"trainer.precision is {precision}, which a CPU cannot do",
                setting="trainer.precision",
                got=precision,
                expected="bf16-mixed",
            )
        if precision not in PRECISIONS:
            raise FeatvizError(
                f"trainer.precision is {precision}",
                setting="trainer.precision",
                got=precision,
                expected=" or ".join(PRECISIONS),
            )
        devices = [root] * count if root.type == "cpu" else [torch.device(root.type, at) for at in trainer.device_ids]
        return cls(tuple(devices), precision, trainer.precision_plugin.forward_context)

    def check_compiler(self) -> None:
        """Raise FeatvizError where a compiler that ``compile=true`` needs is missing."""
        kind = self.devices[0].type
        if kind == "cuda" and not find_spec("triton"):
            raise FeatvizError(
                "compile=true needs triton on a GPU, which is not installed",
                setting="compile",
                expected="compile=false",
            )
        compilers = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++", "cl"]
        if kind == "cpu" and not any(map(which, compilers)):
            raise FeatvizError(
                f"compile=true needs a C++ compiler ({' or '.join(compilers)})",
                setting="compile",
                expected="compile=false",
            )

    def describe(self) -> str:
        """The first device, and how it computes: ``cpu with 2 threads in float32``."""
        device = self.devices[0]
        single = self.precision.startswith("32")
        if device.type == "cuda":
            exact = "TF32" if torch.get_float32_matmul_precision() != "highest" else "float32"
            return f"{torch.cuda.get_device_name(device)} in {exact if single else self.precision}"
        count = torch.get_num_threads()
        threads = f" with {count} thread{'s' * (count > 1)}" if device.type == "cpu" else ""
        return f"{device.type}{threads} in {'float32' if single else self.precision}"
