"""The TensorBoard logger."""

from __future__ import annotations

from lightning.pytorch.loggers import TensorBoardLogger


class TensorBoard(TensorBoardLogger):
    """Lightning's logger with one events file for a run: each chunk's trainer would close it and start another."""

    def finalize(self, status: str) -> None:  # noqa: ARG002
        """Write what is held back; the file stays open."""
        if self._experiment is not None:
            self._experiment.flush()

    def save(self) -> None:
        """Write no hparams.yaml: config.yaml, in the run's folder, says more."""
