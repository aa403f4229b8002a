"""Numbers about finished pictures: how far each can be trusted."""

from featviz.metrics.judges import Judge
from featviz.metrics.picture_metrics import PictureMetrics
from featviz.metrics.robustness import robust_activation

__all__ = ["Judge", "PictureMetrics", "robust_activation"]
