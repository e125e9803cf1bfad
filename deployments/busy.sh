#!/usr/bin/env bash
# Runs a command beside busy loops: busy.sh LOOPS-PER-CORE COMMAND [ARGUMENT...]. Its status is that of the command.
set -euo pipefail
loops=$(($(getconf _NPROCESSORS_ONLN) * $1))
shift
busy=()
trap 'kill "${busy[@]}" 2>/dev/null || true' EXIT
for _ in $(seq "$loops"); do
  while :; do :; done &
  busy+=($!)
done
"$@"
