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

# Whether a command is there. Debian keeps those of PostgreSQL off the PATH, in a directory a version; the newest is put on it.
is_there() {
  local found
  command -v "$1" >/dev/null && return
  found=$(compgen -G "/usr/lib/postgresql/*/bin/$1" | sort -V | tail -n 1) || true
  [ -n "$found" ] && PATH=$PATH:$(dirname "$found")
}

# need COMMAND=PACKAGE...: installs the Debian packages whose commands are missing.
need() {
  local pair missing=()
  for pair in "$@"; do
    is_there "${pair%%=*}" || missing+=("${pair#*=}")
  done
  [ "${#missing[@]}" -eq 0 ] && return
  command -v apt-get >/dev/null || die "please install: ${missing[*]} (this script can do so on Debian only)"
  echo "installing ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
  for pair in "$@"; do
    is_there "${pair%%=*}" || die "${pair#*=} is installed, but there is no ${pair%%=*}"
  done
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

# start_postgres [SETTING=VALUE...]: a throwaway PostgreSQL in a directory and on a port of its own, which goes with whoever started it. Sets
# $postgres to its process id and $postgres_url to the address of a database in it, and tells tests of it by POSTGRES_FOR_TESTS. It syncs
# nothing unless a setting says otherwise. The cluster that Debian's package makes and starts on port 5432 is the machine's, and left alone.
#
# The caller has `trap stop_postgres EXIT`, or calls stop_postgres in a trap of its own.
start_postgres() {
  local port setting as=() settings=()
  need initdb=postgresql
  if [ "$(id -u)" -eq 0 ]; then
    # PostgreSQL refuses root, and its own user may not be able to enter the present directory.
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups env -C /)
  fi
  postgres_directory=$(mktemp -d)
  [ "$(id -u)" -ne 0 ] || chown postgres: "$postgres_directory"
  "${as[@]}" initdb -A trust -U postgres -E UTF8 --no-locale --no-sync -D "$postgres_directory/data" >"$postgres_directory/initdb.log" 2>&1 ||
    { cat "$postgres_directory/initdb.log" >&2; die "initdb failed"; }
  port=$(free_port)
  for setting in "listen_addresses=127.0.0.1" "unix_socket_directories=$postgres_directory" "max_connections=300" \
    "fsync=off" "full_page_writes=off" "synchronous_commit=on" "$@"; do
    settings+=(-c "$setting")
  done
  "${as[@]}" postgres -D "$postgres_directory/data" -p "$port" "${settings[@]}" >"$postgres_directory/log" 2>&1 &
  postgres=$!
  until pg_isready -q -h 127.0.0.1 -p "$port"; do
    if ! kill -0 "$postgres" 2>/dev/null; then
      cat "$postgres_directory/log" >&2
      die "PostgreSQL ended before it was ready"
    fi
  done
  postgres_url=postgres://postgres@127.0.0.1:$port/postgres
  export POSTGRES_FOR_TESTS=$postgres_url
}

# Ends what start_postgres began, at once: nobody wants its data.
stop_postgres() {
  [ -z "${postgres:-}" ] || { kill -QUIT "$postgres" 2>/dev/null && wait "$postgres" 2>/dev/null; } || true
  [ -z "${postgres_directory:-}" ] || rm -rf "$postgres_directory"
  postgres='' postgres_directory=''
}

# The middle one of an odd count of numbers, one a line.
median() {
  sort -g | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'
}
