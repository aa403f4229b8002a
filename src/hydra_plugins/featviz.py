"""Where Hydra looks for launchers: it takes classes that are defined in this package only."""

from featviz.config.launchers import joblib, ray


class JoblibLauncher(joblib.JoblibLauncher):
    """``hydra/launcher=joblib``."""


class RayLauncher(ray.RayLauncher):
    """``hydra/launcher=ray``."""
