#!/usr/bin/env bash
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# junit2html 31.1.4 makes a matrix of several JUnit reports. With durations of 0 in all test cases, which JUnit allows
# (time="0"), it divides by their sum.
#
# Expected: a page. Observed: ZeroDivisionError.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install -q --disable-pip-version-check junit2html==31.1.4 2> "$scratch/log" || { cat "$scratch/log"; exit 2; }
for name in one two; do
    printf '<testsuites><testsuite name="s" tests="1" time="0"><testcase classname="c" name="n" time="0"/></testsuite></testsuites>\n' > "$scratch/$name.xml"
done
echo "junit2html 31.1.4"
echo "expected: a page with a matrix"
if "$scratch/venv/bin/junit2html" --report-matrix "$scratch/matrix.html" "$scratch/one.xml" "$scratch/two.xml" > "$scratch/log" 2>&1; then
    echo "observed: a page"
    exit 1
fi
echo "observed: $(tail -n 1 "$scratch/log")"
grep -q '^ZeroDivisionError' "$scratch/log"
