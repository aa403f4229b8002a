"""Where a run is watched: TensorBoard, Weights & Biases, MLflow, CSV, or any other of Lightning's loggers.

Nothing else in featviz asks which logger it has: everything goes through the functions of ``interface.py``.
"""

from featviz.results.loggers.csv import CSV
from featviz.results.loggers.interface import (
    close,
    log_config,
    log_embedding,
    log_hyperparameters,
    log_picture,
    log_scalars,
    takes_embeddings,
    takes_pictures,
)
from featviz.results.loggers.mlflow import MLflow
from featviz.results.loggers.outcome import finish_loggers
from featviz.results.loggers.tensorboard import TensorBoard
from featviz.results.loggers.wandb import WeightsAndBiases

__all__ = [
    "CSV",
    "MLflow",
    "TensorBoard",
    "WeightsAndBiases",
    "close",
    "finish_loggers",
    "log_config",
    "log_embedding",
    "log_hyperparameters",
    "log_picture",
    "log_scalars",
    "takes_embeddings",
    "takes_pictures",
]
