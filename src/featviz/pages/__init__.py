"""Pages of runs: one static site, made from run folders alone, that opens from the disk."""

from featviz.pages.find import find_runs
from featviz.pages.site import write_site

__all__ = ["find_runs", "write_site"]
