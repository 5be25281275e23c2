#!/usr/bin/env bash
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The node exporter merges all files of its textfile directory. If two files hold the same metric with the same labels, it
# cannot serve both. Version 1.5.0 keeps one of them and drops the series of the other; node_textfile_scrape_error, the
# metric that is there to report trouble with text files, stays 0.
#
# Expected: node_textfile_scrape_error is 1, or both values are served. Observed: 0, and one value is gone.
set -euo pipefail
scratch=$(mktemp -d)
exporter=
leave() { [ -z "$exporter" ] || kill "$exporter" 2> /dev/null || true; rm -rf "$scratch"; }
trap leave EXIT
cd "$scratch"
apt-get download -q prometheus-node-exporter=1.5.0-1+b6 > log 2>&1 || { cat log; exit 2; }
for package in ./*.deb; do dpkg -x "$package" root; done
mkdir text
for value in 1 2; do
    printf '# HELP backup_age_seconds Age of the newest backup.\n# TYPE backup_age_seconds gauge\nbackup_age_seconds %s\n' "$value" > "text/$value.prom"
done
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
root/usr/bin/prometheus-node-exporter --web.listen-address="127.0.0.1:$port" --collector.disable-defaults \
    --collector.textfile --collector.textfile.directory="$PWD/text" > log 2>&1 &
exporter=$!
for _try in $(seq 100); do
    python3 -c "import urllib.request as u; print(u.urlopen('http://127.0.0.1:$port/metrics').read().decode())" > metrics 2> /dev/null && break
    sleep 0.1
done
echo "prometheus-node-exporter 1.5.0-1+b6"
echo "expected: node_textfile_scrape_error 1, or two series of backup_age_seconds"
error=$(awk '$1 == "node_textfile_scrape_error" { print $2 }' metrics)
series=$(grep -c '^backup_age_seconds' metrics || true)
echo "observed: node_textfile_scrape_error $error, series of backup_age_seconds: $series"
[ "$error" = 0 ] && [ "$series" -lt 2 ]
