#!/usr/bin/env bash
# Installs what the tests need besides Go: a redis-server, and on Linux the C compiler of the race detector.
# With the argument "check" it installs nothing, and fails where it would. `task setup` calls both.
set -euo pipefail

# missing names what is not there, as Debian calls it.
missing() {
  command -v redis-server >/dev/null || echo redis-server
  if [ "$(uname -s)" = Linux ] && [ -z "${CC:-}" ] && ! command -v gcc >/dev/null; then
    echo gcc
    echo libc6-dev
  fi
  # The browser of the page tests has its place here.
}

# root runs a command as root.
root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "setup: this needs root, and there is no sudo: $*" >&2
    return 1
  fi
}

# Debian's package starts a service, now and at every boot. The tests run servers of their own, so the new service
# gets neither. policy-rc.d is what Debian asks before it starts one; a policy that is there already stays.
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
  echo "setup: please install by hand and try again:" $wanted >&2
  echo "setup: redis-server is Redis 7 or newer; the tests start their own, no server has to run" >&2
  exit 1
fi
