#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a bare Debian 12 and a checkout to a running one-node cluster, in one command.
# usage: packaging/quickstart.sh [--no-apt]
# Installs the build dependencies, builds, starts an ephemeral agent, imports a sample crontab,
# adds and runs jobs, shows their output, and ends the agent again. Reads this host's own
# crontabs, changes nothing of them. Leaves nothing outside build/, packages apart.
set -euo pipefail

apt=yes
for argument in "$@"; do
  case "$argument" in
    --no-apt) apt=no ;;
    -h | --help)
      sed -n '3,7s/^# //p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *)
      echo "packaging/quickstart.sh: unknown argument '$argument'; it takes --no-apt" >&2
      exit 2
      ;;
  esac
done

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
tmp=$root/build/tmp/quickstart
mkdir -p "$tmp"
export CCACHE_DIR=${CCACHE_DIR:-$root/build/ccache}
export PATH=$root/build/bin:$PATH
SECONDS=0
agent=
step() { printf '\n==> %s\n' "$*"; }
# Shows a command as one would type it, then runs it.
show() {
  printf '$'
  printf ' %q' "$@"
  printf '\n'
  "$@"
}

finish() {
  local rc=$?
  trap - EXIT INT TERM
  if [ -n "$agent" ] && kill -0 "$agent" 2>/dev/null; then
    kill -TERM "$agent"
    local agent_rc=0
    wait "$agent" || agent_rc=$?
    echo "The agent (pid $agent) has ended with status $agent_rc; its jobs and folder are gone."
    if [ "$rc" -eq 0 ]; then rc=$agent_rc; fi
  fi
  if [ "$rc" -ne 0 ]; then
    echo "quickstart: failed with status $rc" >&2
    if [ -n "$agent" ]; then
      echo "the end of the agent's log, $tmp/agent.log:" >&2
      tail -n 20 "$tmp/agent.log" >&2 || true
    fi
  fi
  exit "$rc"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if [ "$apt" = yes ]; then
  step "Build dependencies (apt, only what is missing)"
  packaging/install-packages build
else
  step "Build dependencies are only checked (--no-apt)"
  packaging/install-packages --check build || true
fi

step "Building the programs into build/bin"
cmake --preset release -DDISTCRON_TESTS=OFF -DDISTCRON_QUICK=ON >"$tmp/configure.log" 2>&1 || {
  cat "$tmp/configure.log" >&2
  exit 1
}
cmake --build build -j "$(nproc)"

step "Starting an agent in a private temporary folder: distcrond --ephemeral &"
: >"$tmp/environment"
build/bin/distcrond --ephemeral >"$tmp/environment" 2>"$tmp/agent.log" &
agent=$!
for ((tenths = 0; tenths < 200; tenths++)); do
  if [ "$(grep -c '^export ' "$tmp/environment")" -ge 2 ]; then break; fi
  if ! kill -0 "$agent" 2>/dev/null; then
    echo "quickstart: the agent ended before it answered" >&2
    wait "$agent" || exit $?
    exit 1
  fi
  sleep 0.1
done
cat "$tmp/environment"
eval "$(grep '^export ' "$tmp/environment")"
show distcronctl cluster status

step "Importing a sample crontab; refused lines would be listed"
show distcronctl import crontab packaging/examples/sample.crontab --dialect debian
show distcronctl list

step "What an import of this host's own crontabs would do (nothing is changed)"
preview() {
  local rc=0
  show distcronctl import crontab "$@" --dialect debian --dry-run || rc=$?
  case "$rc" in
    0) ;;
    1) echo "(some lines would be refused)" ;;
    9) echo "(no line would be taken)" ;;
    *) return "$rc" ;;
  esac
}
found=no
for file in /etc/crontab /etc/cron.d/*; do
  if [ -f "$file" ] && [ -r "$file" ]; then
    found=yes
    preview "$file" --system
  fi
done
for file in /var/spool/cron/crontabs/*; do
  if [ -f "$file" ] && [ -r "$file" ]; then
    found=yes
    preview "$file" --user "$(basename "$file")"
  fi
done
if [ "$found" = no ]; then echo "(this host has none)"; fi

step "Adding a job and running it now"
# The single quotes are meant: the job's shell expands it.
# shellcheck disable=SC2016
show distcronctl add hello --schedule '0 9 * * mon-fri' \
  --command 'echo "hello from $(hostname), run $DISTCRON_RUN_ID"'
echo '$ distcronctl run hello -q'
run=$(distcronctl run hello -q)
echo "$run"
show distcronctl wait "$run" --timeout 30s
show distcronctl logs "$run"

step "A job that fires by itself, every two seconds"
# shellcheck disable=SC2016
show distcronctl add ticker --schedule '*/2 * * * * *' --dialect seconds \
  --command 'echo "due at $DISTCRON_SCHEDULED_AT, started at $(date -u +%H:%M:%S.%3N)"'
output=
for ((tenths = 0; tenths < 150; tenths++)); do
  output=$(distcronctl logs ticker 2>/dev/null || true)
  if [ -n "$output" ]; then break; fi
  sleep 0.1
done
if [ -z "$output" ]; then
  echo "quickstart: the job did not fire within 15 s" >&2
  distcronctl history ticker >&2 || true
  exit 1
fi
echo '$ distcronctl logs ticker'
printf '%s\n' "$output"
show distcronctl disable ticker
show distcronctl history
show distcronctl next hello -n 3

step "Done in $SECONDS s. How to go on"
cat <<'NEXT'
  the same by hand:   build/bin/distcrond --ephemeral      (then paste its two lines)
  a lasting agent:    build/bin/distcrond --set storage.dir=$HOME/distcron
  all commands:       build/bin/distcronctl help
  the tests:          tests/run.sh
NEXT
echo
