"""How many processes the launcher takes."""

import pytest

from featviz.config.launchers.joblib import JoblibLauncher
from featviz.errors import FeatvizError


@pytest.mark.parametrize("processes", [0, 2.5, True, "many"])
def test_what_is_no_number_of_processes_is_refused(processes: object) -> None:
    pytest.importorskip("joblib", reason="pip install 'featviz[joblib]'")
    with pytest.raises(FeatvizError) as error:
        JoblibLauncher(processes).launch([], 0)
    assert (error.value.setting, error.value.got) == ("hydra.launcher.n_jobs", processes)
    assert error.value.expected == "a number of processes, or -1 for all cores"
