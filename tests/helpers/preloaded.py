"""What the processes of :mod:`processes` find imported: all that a run imports, also where it is first used.

No tensor is computed here: a process that is forked has none of the threads of the one that it comes from.
"""

from importlib import import_module

from hydra.core.plugins import Plugins
from numba.core.registry import cpu_target
from PIL import Image

from featviz.config.compose import compose_default

for name in (
    "featviz.api",
    "featviz.tasks.visualize",
    "featviz.transforms.kernels.bilinear",
    "featviz.transforms.kernels.color",
    "jinja2",
    "matplotlib.backends.backend_agg",
    "tensorboard.plugins.hparams.summary_v2",
    "torch.utils.tensorboard",
):
    import_module(name)
Image.init()
cpu_target.target_context.refresh()
Plugins.instance()
compose_default()  # grammars are compiled where they are first used
