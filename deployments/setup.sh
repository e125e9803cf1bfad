#!/usr/bin/env bash
# Installs what the tests need besides Go: redis-server, and on Linux a C compiler for the race detector.
# With the argument "check" it installs nothing and fails if something is missing. `task setup` calls both.
set -euo pipefail

# missing prints the Debian names of missing packages.
missing() {
  command -v redis-server >/dev/null || echo redis-server
  if [ "$(uname -s)" = Linux ] && [ -z "${CC:-}" ] && ! command -v gcc >/dev/null; then
    echo gcc
    echo libc6-dev
  fi
}

# root runs a command as root, with sudo if necessary.
root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "setup: root privileges are required and sudo is missing: $*" >&2
    return 1
  fi
}

# Debian's package starts a service at installation and at every boot. The tests start their own servers, so
# policy-rc.d, which Debian asks before it starts a service, denies the first, and the second is disabled.
# An existing policy-rc.d is not changed.
policy=/usr/sbin/policy-rc.d
debian() {
  root apt-get update
  if ! [ -e "$policy" ]; then
    trap 'root rm -f "$policy"' EXIT
    printf '#!/bin/sh\ncase "$*" in *redis-server*) exit 101 ;; esac\n' | root install -m 755 /dev/stdin "$policy"
  fi
  root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
  if [[ " $* " = *" redis-server "* ]]; then
    root update-rc.d redis-server disable || true # no init system, no service
  fi
}

wanted=$(missing)
if [ -z "$wanted" ]; then
  exit 0
elif [ "${1:-}" = check ]; then
  exit 1
elif [ "$(uname -s)" = Darwin ] && command -v brew >/dev/null; then
  brew install redis
elif command -v apt-get >/dev/null; then
  debian $wanted # one argument per package
fi
wanted=$(missing)
if [ -n "$wanted" ]; then
  echo "setup: install these packages and try again:" $wanted >&2
  echo "setup: redis-server must be Redis 7 or newer; the tests start their own servers" >&2
  exit 1
fi
