#!/bin/sh
# Brings the pinned Bun and the dependencies, then becomes the given script.
# Every hand-over is an exec: a shell left between npm and Bun would swallow signals and orphan the stack.
set -eu
cd "$(dirname "$0")/.."

want=1.4.5
tool="$PWD/.zpack-tools/bun-$want"
stamp=node_modules/.zpack-installed
# The stack needs no development dependency, and those are by far the larger part; a full installation satisfies it too.
case "${1:-}" in infra/dev/up.ts) kind=production ;; *) kind=full ;; esac

say() { printf 'zpack  %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}
is_wanted() { [ -n "$1" ] && [ "$("$1" --version 2>/dev/null || true)" = "$want" ]; }
find_bun() {
  bun=$(command -v bun || true)
  is_wanted "$bun" && return
  bun="$tool/node_modules/.bin/bun"
  is_wanted "$bun"
}
wanted_stamp() { cat package.json bun.lock infra/*/patches/* 2>/dev/null | cksum; }
is_installed() {
  have=$(cat "$stamp" 2>/dev/null || true)
  [ "$have" = "full $sum" ] || [ "$have" = "$kind $sum" ]
}

# npm may be told to block install scripts, which leaves a stub in place of the binary: its postinstall is run here instead.
bring_bun() {
  say "Bringing Bun $want (about 100 MB, once) ..."
  rm -rf "$tool.new"
  mkdir -p "$tool.new"
  if command -v npm >/dev/null 2>&1; then
    npm install --prefix "$tool.new" --no-save --no-package-lock --no-audit --no-fund --ignore-scripts \
      --loglevel=error "bun@$want" >&2
    node "$tool.new/node_modules/bun/install.js"
  elif command -v bun >/dev/null 2>&1; then
    echo '{}' >"$tool.new/package.json"
    bun add --cwd "$tool.new" --ignore-scripts "bun@$want" >&2
    bun "$tool.new/node_modules/bun/install.js"
  else
    fail "Neither npm nor bun is on PATH; one of them is needed to bring Bun $want."
  fi
  is_wanted "$tool.new/node_modules/.bin/bun" || fail "The downloaded Bun $want does not run on this machine."
  rm -rf "$tool"
  mv "$tool.new" "$tool"
  bun="$tool/node_modules/.bin/bun"
}

install_packages() {
  say "Installing $kind dependencies ..."
  rm -f "$stamp"
  if [ "$kind" = production ]; then set -- --production; else set --; fi
  PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 "$bun" install --frozen-lockfile "$@" >&2
  printf '%s\n' "$kind $sum" >"$stamp"
}

sum=$(wanted_stamp)
if ! find_bun || ! is_installed; then
  # npm start and npm test may run at once in one checkout. The lock is the kernel's: it ends with its holder, also after kill -9.
  command -v flock >/dev/null 2>&1 || fail "flock (package util-linux) is needed to install."
  mkdir -p .zpack-tools
  exec 9>.zpack-tools/lock
  if ! flock -n 9; then
    say "Waiting for another installation in this checkout ..."
    flock 9
  fi
  find_bun || bring_bun
  is_installed || install_packages
  exec 9>&- # or Bun would inherit the lock and hold it for as long as it runs
fi
exec "$bun" "$@"
