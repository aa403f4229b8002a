"""What the processes of :mod:`processes` find imported: all that a run imports, also where it is first used.

What is composed, and read of sources to check it, is there too, and no process looks through all that for garbage.
No tensor is computed here: a process that is forked has none of the threads of the one that it comes from.
"""

import gc
from importlib import import_module

import compositions
import pytest
from hydra.core.plugins import Plugins
from numba.core.registry import cpu_target
from PIL import Image
from program import TINY

from featviz.config.checks import check_settings
from featviz.config.compose import compose_default

gc.disable()  # all that is imported stays
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
compositions.make_once(pytest.MonkeyPatch())
for options in ((), TINY):
    check_settings(compose_default(options))  # grammars are compiled where they are first used
gc.collect()
gc.freeze()  # or each collection of a forked process would copy the memory of all this
gc.enable()
