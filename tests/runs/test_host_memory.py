"""Freed memory is kept within a run, and given back after it."""

import os
import platform
import subprocess
import sys

import pytest

from featviz.runs.host_memory import BY_USER

BLOCK = 64 * 2**20
MIB = 2**20

SCRIPT = f"""
import gc; gc.disable()  # imports take half as long
import resource, psutil, torch
from featviz.runs.host_memory import retain_freed_memory

def faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.ones({BLOCK} // 4)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return psutil.Process().memory_info().rss

faults(2)
usual, before = faults(5), resident()
with retain_freed_memory():
    faults(12)  # until glibc has cut its blocks
    print(usual, faults(5), resident() - before)
print(resident() - before)
"""


def measured(**environment: str) -> tuple[int, int, int, int]:
    """Page faults of five large blocks, usual and of freed memory that is kept; bytes more than before, and after."""
    command = [sys.executable, "-c", SCRIPT]
    out = subprocess.run(command, check=True, capture_output=True, text=True, env={**clean(), **environment}).stdout
    usual, faults, within, after = map(int, out.split())
    return usual, faults, within, after


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(BY_USER)}


@pytest.mark.process
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this is of the GNU C library")
def test_blocks_are_used_again_within_and_given_back_after() -> None:
    usual, faults, within, after = measured()
    assert usual > 4 * BLOCK / 2**21  # pages are of 2 MiB at most
    assert faults < 0.02 * usual
    assert within > 0.9 * BLOCK
    assert after < 8 * MIB


@pytest.mark.process
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this is of the GNU C library")
def test_what_the_environment_says_stays() -> None:
    usual, faults, _, _ = measured(MALLOC_TOP_PAD_="0")
    assert faults > 0.5 * usual
