"""MLflow, as files below the run folder: ``mlflow ui --backend-store-uri RUN_FOLDER/mlflow``."""

from __future__ import annotations

import os
from pathlib import Path

from lightning.pytorch.loggers import MLFlowLogger
from PIL import Image
from typing_extensions import override

from featviz.results.files import file_name
from featviz.results.loggers.interface import close, log_config, log_picture, missing_package


class MLflow(MLFlowLogger):
    """Lightning's logger with one MLflow run that stays open over all chunks.

    Args:
        save_dir: the run folder.
        experiment: the name of the MLflow experiment that the run belongs to.
        tracking_uri: another store, such as a server's address; null for ``save_dir/mlflow``.

    Raises:
        FeatvizError: MLflow is not installed.
    """

    def __init__(self, save_dir: str, experiment: str = "featviz", tracking_uri: str | None = None) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # refused since 3.12 where nobody asks for it
        try:
            from mlflow.tracking import MlflowClient
        except ImportError as error:
            raise missing_package("mlflow", "mlflow") from error
        folder = Path(save_dir).resolve()
        uri = tracking_uri or (folder / "mlflow").as_uri()
        client = MlflowClient(uri)
        known = client.get_experiment_by_name(experiment)
        number = known.experiment_id if known else client.create_experiment(experiment)
        run = client.create_run(number, run_name=folder.name)
        super().__init__(experiment, tracking_uri=uri, run_id=run.info.run_id)

    @override
    def finalize(self, status: str = "success") -> None:
        pass  # a chunk ends, the run does not


@log_picture.register
def _(logger: MLFlowLogger, tag: str, picture: Image.Image, step: int | None = None) -> None:
    name = "/".join(map(file_name, tag.split("/"))) + ("" if step is None else f"/{step:06d}")
    logger.experiment.log_image(logger.run_id, picture, artifact_file=f"{name}.png")


@log_config.register
def _(logger: MLFlowLogger, text: str) -> None:
    logger.experiment.log_text(logger.run_id, text, "config.yaml")


@close.register
def _(logger: MLFlowLogger) -> None:
    logger.experiment.set_terminated(logger.run_id)
