#!/usr/bin/env bash
# Runs the tests that need a cluster on a real one: Ray with two worker nodes, and SLURM, both on this machine.
# Ray is installed into an environment of its own on top of .venv; SLURM by apt-get, where one is root.
set -euo pipefail
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS=1
folder=$(mktemp -d)

with_ray=$PWD/.venv-ray
if [ ! -x "$with_ray/bin/ray" ]; then
    .venv/bin/python -m venv "$with_ray"
    site=$("$with_ray/bin/python" -c "import sysconfig; print(sysconfig.get_path('purelib'))")
    .venv/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" > "$site/below.pth"
    echo "$PWD/src" >> "$site/below.pth"
    "$with_ray/bin/python" -m pip --disable-pip-version-check --quiet install 'ray>=2.40,<3'
fi
"$with_ray/bin/python" -m pytest tests/end_to_end/test_launchers.py -k ray

if ! command -v slurmctld > /dev/null && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    apt-get install --yes --quiet slurm-wlm munge > "$folder/apt.log" 2>&1 || (apt-get update --quiet &&
        apt-get install --yes --quiet slurm-wlm munge) > "$folder/apt.log" 2>&1 || tail -3 "$folder/apt.log"
fi
if command -v slurmctld > /dev/null && [ "$(id -u)" = 0 ]; then
    trap 'scripts/local_slurm.sh stop "$folder"' EXIT
    scripts/local_slurm.sh start "$folder"
    export SLURM_CONF=$folder/slurm.conf
else
    echo "NO SLURM HERE: it takes root, and Debian's slurm-wlm and munge. Its tests are skipped."
fi
.venv/bin/python -m pytest tests/end_to_end/test_clusters.py
