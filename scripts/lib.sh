# Shared by the scripts beside it; sourced, never run. They all work from the repository's root.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "'$*' needs root; run as root or install sudo"
  fi
}

# need COMMAND=PACKAGE...: installs the Debian packages whose commands are missing.
need() {
  local pair missing=()
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
  done
  [ "${#missing[@]}" -eq 0 ] && return
  command -v apt-get >/dev/null || die "please install: ${missing[*]} (this script can do so on Debian only)"
  echo "installing ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# A port of the loopback that nobody listens on. Another process may take it before we do; then the server says so.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

# start_server BINARY DIRECTORY PORT [FLAG...]: sets $server to the process id; returns when it is healthy.
start_server() {
  local binary=$1 directory=$2 port=$3
  shift 3
  "$binary" serve --listen "127.0.0.1:$port" --data-dir "$directory/data" "$@" >"$directory/server.log" 2>&1 &
  server=$!
  until "$binary" healthcheck --listen "127.0.0.1:$port" >/dev/null 2>&1; do
    if ! kill -0 "$server" 2>/dev/null; then
      cat "$directory/server.log" >&2
      die "the server ended before it was healthy"
    fi
  done
}

# Ends what start_server began; fails when the server did not end well.
stop_server() {
  local code=0
  kill -TERM "$server"
  wait "$server" || code=$?
  server=
  [ "$code" -eq 0 ] || die "the server ended with $code after SIGTERM"
}

# The middle one of an odd count of numbers, one a line.
median() {
  sort -g | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'
}
