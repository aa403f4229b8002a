"""Pictures of what filters look for while their network is trained: a callback for one's own training."""

from featviz.watch.callback import Watch

__all__ = ["Watch"]
