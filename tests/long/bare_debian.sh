#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The two commands of README.md in a bare Debian 12: a fresh minimal root, nothing but apt and the
# checkout, no git, no compiler. Needs root and debootstrap; takes the mirror from this host's apt.
# usage: tests/long/bare_debian.sh [--worktree] [--keep]
#   --worktree   copy the files as they are now instead of the last commit
#   --keep       leave the root there and print its place
set -euo pipefail
source_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
worktree=no
keep=no
for argument in "$@"; do
  case "$argument" in
    --worktree) worktree=yes ;;
    --keep) keep=yes ;;
    *)
      echo "bare_debian.sh: unknown argument '$argument'" >&2
      exit 2
      ;;
  esac
done
if [ "$(id -u)" -ne 0 ] || ! command -v debootstrap >/dev/null ||
  ! unshare --mount --pid --fork true 2>/dev/null; then
  echo "SKIP: needs root, debootstrap and the right to unshare"
  exit 77
fi

# First Debian archive with the suite, from one-line or deb822 sources.
shopt -s nullglob
sources=(/etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list)
if [ -s /etc/apt/sources.list ]; then sources+=(/etc/apt/sources.list); fi
mirror=$(awk '
    $1 == "deb" { for (i = 2; i < NF; i++) if ($i ~ /^https?:/ && $(i + 1) == "bookworm") print $i }
    $1 == "URIs:" { uri = $2 }
    $1 == "Suites:" { for (i = 2; i <= NF; i++) if ($i == "bookworm") print uri }' \
  "${sources[@]}" /dev/null | sed -n 1p)
if [ -z "$mirror" ]; then
  echo "SKIP: this host's apt names no archive of bookworm"
  exit 77
fi

bare=$(mktemp -d /tmp/distcron-bare.XXXXXX)
chmod 0755 "$bare"  # it becomes /, which every user must be able to enter
cleanup() {
  if [ "$keep" = yes ]; then echo "left: $bare"; else rm -rf --one-file-system "$bare"; fi
}
trap cleanup EXIT
SECONDS=0
echo "==> a minimal root in $bare"
debootstrap --variant=minbase bookworm "$bare" "$mirror" >"$bare.log" 2>&1 || {
  tail -n 20 "$bare.log" >&2
  rm -f "$bare.log"
  exit 1
}
rm -f "$bare.log"

# The same archives and transport settings as this host; no hooks.
rm -rf "$bare/etc/apt/sources.list" "$bare/etc/apt/sources.list.d"
mkdir -p "$bare/etc/apt/sources.list.d"
for file in "${sources[@]}"; do
  if grep -q bookworm "$file"; then cp "$file" "$bare${file}"; fi
done
for file in /etc/apt/apt.conf.d/*; do
  if grep -q '^Acquire::' "$file"; then cp "$file" "$bare/etc/apt/apt.conf.d/"; fi
done
if [ -d /etc/apt/keyrings ]; then cp -r /etc/apt/keyrings "$bare/etc/apt/"; fi
cp /etc/resolv.conf /etc/hosts "$bare/etc/"
# A package's service must not start here.
printf '#!/bin/sh\nexit 101\n' >"$bare/usr/sbin/policy-rc.d"
chmod +x "$bare/usr/sbin/policy-rc.d"

mkdir "$bare/src"
if [ "$worktree" = no ] && git -C "$source_root" rev-parse HEAD >/dev/null 2>&1; then
  git -C "$source_root" archive HEAD | tar -x -C "$bare/src"
else
  tar -C "$source_root" --exclude=./build --exclude=./.git -c . | tar -x -C "$bare/src"
fi
listing() { (cd "$bare/src" && find . -path ./build -prune -o -type f -print | sort | xargs sha256sum); }
before=$(listing)

# Own mounts and own process ids: whatever is left behind ends with this command.
inside() {
  unshare --mount --pid --fork --kill-child bash -c '
    root=$1; shift
    mount --bind "$root" "$root"  # a mount of its own, so that tests can make namespaces in it
    mount -t proc proc "$root/proc"
    mount -t tmpfs tmpfs "$root/run"
    mount -t tmpfs tmpfs "$root/dev/shm" 2>/dev/null || true
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts" 2>/dev/null || true
    exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
      ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} "$@"
  ' inside "$bare" "$@" </dev/null
}

started=$SECONDS
echo "==> packaging/quickstart.sh in it"
inside /src/packaging/quickstart.sh
quickstart_s=$((SECONDS - started))

started=$SECONDS
echo "==> tests/run.sh in it"
inside /src/tests/run.sh
tests_s=$((SECONDS - started))

for program in distcrond distcronctl; do
  if [ ! -x "$bare/src/build/bin/$program" ]; then
    echo "bare_debian.sh: build/bin/$program is missing after tests/run.sh" >&2
    exit 1
  fi
done
after=$(listing)
if [ "$before" != "$after" ]; then
  echo "bare_debian.sh: files outside build/ have changed:" >&2
  diff <(printf '%s\n' "$before") <(printf '%s\n' "$after") >&2 || true
  exit 1
fi
echo "bare_debian.sh: passed: quickstart $quickstart_s s, tests $tests_s s, with the downloads"
