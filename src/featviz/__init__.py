"""Pictures of what the filters of a vision network look for, by gradient ascent on the input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from featviz.api import activations, atlas, concepts, exemplars, layers, report, top_filters, visualize
    from featviz.errors import FeatvizError
    from featviz.models.model import Model
    from featviz.results.result import Result
    from featviz.tasks.compare.call import compare
    from featviz.tasks.figure import figure
    from featviz.watch import Watch

    __version__: str

__all__ = [
    "FeatvizError",
    "Model",
    "Result",
    "Watch",
    "activations",
    "atlas",
    "compare",
    "concepts",
    "exemplars",
    "figure",
    "layers",
    "report",
    "top_filters",
    "visualize",
]

_HOME = {
    "FeatvizError": "featviz.errors",
    "Model": "featviz.models.model",
    "Result": "featviz.results.result",
    "compare": "featviz.tasks.compare.call",
    "figure": "featviz.tasks.figure",
    "Watch": "featviz.watch",
}


def __getattr__(name: str) -> Any:
    """Import torch and Lightning when the interface is used, not before: the command line's help needs neither."""
    if name == "__version__":
        from importlib.metadata import version

        return version("featviz")
    if name not in __all__:
        raise AttributeError(f"module 'featviz' has no attribute '{name}'")
    import sys
    from importlib import import_module

    home = _HOME.get(name, "featviz.api")
    if home not in sys.modules:
        from featviz.config.garbage import count_as_old, garbage_collection_paused

        with garbage_collection_paused():
            import_module(home)
            count_as_old()
    return getattr(import_module(home), name)
