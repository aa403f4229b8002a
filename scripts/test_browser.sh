#!/usr/bin/env bash
# Runs the tests of the pages in a real browser: Debian's chromium and chromium-driver, by apt-get where one is root.
# axe-core, which checks the pages for screen readers and keyboards, is fetched by npm where there is one.
set -euo pipefail
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS=1

if ! command -v chromedriver > /dev/null && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    log=$(mktemp)
    apt-get install --yes --quiet chromium chromium-driver > "$log" 2>&1 || (apt-get update --quiet &&
        apt-get install --yes --quiet chromium chromium-driver) > "$log" 2>&1 || tail -3 "$log"
fi
command -v chromedriver > /dev/null || echo "NO CHROMIUM HERE: it takes root, and Debian's chromium and chromium-driver. Its tests are skipped."
.venv/bin/python -m pytest tests/pages/browser
