#!/usr/bin/env bash
# Runs a store and two nodes on one machine. Pushes a real image to the store and pulls it through
# both nodes.
#
#   examples/quickstart.sh                 build, start, push, pull, compare
#   examples/quickstart.sh --address A     the same for docker: listen on all addresses, with
#                                          certificates for this machine's address A
#   examples/quickstart.sh --down          stop the store and the nodes
#   examples/quickstart.sh --clean         stop them, and remove the data folder
#   --data DIR                             the data folder (outport-demo in the project)
#
# A second run reuses the data folder. The script needs root or sudo only to install packages.
set -euo pipefail

PROJECT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
readonly PROJECT BIN=$PROJECT/build/release/bin
readonly IMAGE=demo/busybox:1 USER_NAME=demo FLEET_PORT=5001
readonly NODES=(eu-west us-east)
declare -rA REGISTRY_PORT=([store]=5000 [eu-west]=5010 [us-east]=5020)
declare -rA OPERATIONS_PORT=([store]=5002 [eu-west]=5012 [us-east]=5022)

usage() { sed -n '2,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }
say() { printf '\n== %s\n' "$*"; }
note() { printf '   %s\n' "$*"; }
fail() {
  printf 'quickstart: %s\n' "$*" >&2
  exit 1
}

data=$PROJECT/outport-demo
address=
action=up
while (($#)); do
  case $1 in
    --address) address=${2:?--address needs an address of this machine} && shift ;;
    --data) data=$(realpath -m "${2:?--data needs a folder}") && shift ;;
    --down) action=down ;;
    --clean) action=clean ;;
    -h | --help) usage && exit 0 ;;
    *)
      printf "quickstart: unknown argument '%s'\n\n" "$1" >&2
      usage >&2
      exit 2
      ;;
  esac
  shift
done

# --- start and stop ---------------------------------------------------------------------------------

config_of() { if [[ $1 == store ]]; then echo "$data/store/store.yml"; else echo "$data/$1/node.yml"; fi; }
program_of() { if [[ $1 == store ]]; then echo "$BIN/outport-store"; else echo "$BIN/outport-node"; fi; }

# Prints the pid of the running daemon $1; fails if it does not run. The system can give the pid to
# another process, so the program and the configuration must match too.
running() {
  local pid program
  pid=$(cat "$data/run/$1.pid" 2>/dev/null) || return 1
  program=$(readlink "/proc/$pid/exe" 2>/dev/null) || return 1
  [[ ${program% (deleted)} == "$(program_of "$1")" ]] || return 1
  tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qxF "$(config_of "$1")" || return 1
  echo "$pid"
}

stop() {
  local pid
  if ! pid=$(running "$1"); then
    rm -f "$data/run/$1.pid"
    return 0
  fi
  kill "$pid"
  for _ in {1..300}; do
    if ! running "$1" >/dev/null; then
      rm -f "$data/run/$1.pid"
      note "stopped $1 (process $pid)"
      return 0
    fi
    sleep 0.1
  done
  fail "$1 (process $pid) did not stop within 30 seconds; its log is $data/log/$1.log"
}

# Starts daemon $1. Keeps a running one, unless its program was built again since.
start() {
  local name=$1 log=$data/log/$1.log program config pid
  program=$(program_of "$name")
  config=$(config_of "$name")
  if pid=$(running "$name"); then
    if [[ $(readlink "/proc/$pid/exe") == "$program" ]]; then
      note "$name is already running (process $pid)"
      return 0
    fi
    note "$name runs an older build: restarting it"
    stop "$name"
  fi
  "$program" check --config "$config" >/dev/null || fail "$config is invalid; the reason is above"
  setsid "$program" serve --config "$config" </dev/null >>"$log" 2>&1 &
  pid=$!
  echo "$pid" >"$data/run/$name.pid"
  for _ in {1..300}; do
    if ! kill -0 "$pid" 2>/dev/null; then
      tail -n 3 "$log" >&2
      fail "$name did not start; its last log lines are above"
    fi
    if curl -fsS -o /dev/null "http://127.0.0.1:${OPERATIONS_PORT[$name]}/readyz" 2>/dev/null &&
      sleep 0.2 && kill -0 "$pid" 2>/dev/null; then
      note "$name serves https://127.0.0.1:${REGISTRY_PORT[$name]} (process $pid, log $log)"
      return 0
    fi
    sleep 0.1
  done
  tail -n 3 "$log" >&2
  fail "$name is not ready after 30 seconds; its log is $log"
}

if [[ $action != up ]]; then
  [[ -e $data ]] || exit 0
  [[ -e $data/.outport-demo ]] || fail "this script did not make $data; nothing was changed"
  for name in us-east eu-west store; do stop "$name"; done
  if [[ $action == clean ]]; then
    rm -rf -- "$data"
    note "removed $data"
  fi
  exit 0
fi

# --- packages, data folder, programs ----------------------------------------------------------------

# --clean removes the whole folder, so refuse a folder with other files in it.
if [[ -d $data && ! -e $data/.outport-demo && -n $(ls -A "$data") ]]; then
  fail "$data holds other files, which --clean would remove; name a new folder with --data"
fi

say "Installing Debian packages"
"$PROJECT/tests/install.sh"

mkdir -p "$data"/{run,log}
touch "$data/.outport-demo"
chmod 700 "$data"
if [[ -e $data/address ]]; then
  made_for=$(<"$data/address")
  if [[ -n $address && $address != "$made_for" ]]; then
    fail "the demo in $data was made for ${made_for:-loopback only}: its certificates do not name $address. Run $0 --clean, then run it with --address $address"
  fi
  address=$made_for
else
  if [[ -n $address ]] && ! ip -o address show | awk '{print $4}' | cut -d / -f 1 | grep -qxF "$address"; then
    fail "$address is not an address of this machine; 'ip -brief address' lists them"
  fi
  echo "$address" >"$data/address"
fi
listen=127.0.0.1
names=(127.0.0.1 localhost)
hosts=(127.0.0.1)
if [[ -n $address ]]; then
  listen=0.0.0.0
  names+=("$address")
  hosts+=("$address")
fi
registries=()
for host in "${hosts[@]}"; do
  for name in store "${NODES[@]}"; do registries+=("$host:${REGISTRY_PORT[$name]}"); done
done

say "Building into $PROJECT/build/release (the first time takes minutes)"
cd "$PROJECT"
export CCACHE_BASEDIR=$PROJECT CCACHE_NOHASHDIR=1
cmake --preset release >"$data/log/cmake.log" 2>&1 || {
  tail -n 20 "$data/log/cmake.log" >&2
  fail "cmake failed; its log is $data/log/cmake.log"
}
cmake --build --preset release --target outport-store outport-node outportctl

# --- store, first administrator, nodes --------------------------------------------------------------

say "Store: data in $data/store"
if [[ -e $data/admin/.made ]]; then
  note "initialised already"
else
  rm -rf "$data/store" "$data/admin"
  "$BIN/outport-store" init --data "$data/store" "${names[@]/#/--name=}" \
    --registry-listen "$listen:${REGISTRY_PORT[store]}" \
    --fleet-listen "127.0.0.1:$FLEET_PORT" --fleet-address "127.0.0.1:$FLEET_PORT" \
    --operations-listen "127.0.0.1:${OPERATIONS_PORT[store]}" --admin-out "$data/admin"
  touch "$data/admin/.made"
fi
start store

outportctl() { "$BIN/outportctl" --profile "$data/admin" "$@"; }

for node in "${NODES[@]}"; do
  say "Node $node: data in $data/$node"
  if [[ -e $data/$node/.made ]]; then
    note "joined already"
  else
    rm -rf "${data:?}/$node"
    outportctl node invite "$node" "${names[@]/#/--host=}" |
      "$BIN/outport-node" join --data "$data/$node" \
        --registry-listen "$listen:${REGISTRY_PORT[$node]}" \
        --operations-listen "127.0.0.1:${OPERATIONS_PORT[$node]}"
    touch "$data/$node/.made"
  fi
  start "$node"
done

# --- client certificate and user --------------------------------------------------------------------

say "A client certificate and a user"
if [[ -e $data/certs.d/.made ]]; then
  note "the certificate 'desktop' is in $data/certs.d"
else
  rm -rf "$data/certs.d"
  outportctl cert issue desktop "${registries[@]/#/--for=}" --out "$data/certs.d"
  touch "$data/certs.d/.made"
fi
if [[ ! -e $data/password ]]; then
  (umask 077 && head -c 18 /dev/urandom | base64 >"$data/password.new")
  mv "$data/password.new" "$data/password"
fi
if outportctl -o json user list | jq -e --arg name "$USER_NAME" 'any(.. | objects; .name? == $name)' >/dev/null; then
  note "the user '$USER_NAME' exists, password in $data/password"
else
  outportctl user add "$USER_NAME" --allow pull,push <"$data/password"
fi
# skopeo's login file. The password never appears on a command line.
(umask 077 && jq -n --rawfile password "$data/password" --arg user "$USER_NAME" \
  '{auths: ([$ARGS.positional[] | {(.): {auth: ($user + ":" + ($password | rtrimstr("\n")) | @base64)}}] | add)}' \
  --args "${registries[@]}" >"$data/auth.json")

# --- push and pull a real image ---------------------------------------------------------------------

say "Building an image: busybox, with umoci"
if [[ -e $data/image/.made ]]; then
  note "already built: $data/image"
else
  rm -rf "$data/image" "$data/rootfs"
  mkdir -p "$data/rootfs"
  cp /bin/busybox "$data/rootfs/busybox"
  ln -s busybox "$data/rootfs/sh"
  umoci init --layout "$data/image"
  umoci new --image "$data/image:1"
  umoci insert --rootless --image "$data/image:1" "$data/rootfs" /bin
  umoci config --image "$data/image:1" --config.cmd /bin/sh
  touch "$data/image/.made"
  note "built: $data/image"
fi

skopeo_copy() { skopeo --insecure-policy copy --quiet --authfile "$data/auth.json" "$@"; }
digest_of() { sha256sum "$1" | cut -d ' ' -f 1; }

say "Push to the store"
store_at=127.0.0.1:${REGISTRY_PORT[store]}
skopeo_copy --dest-cert-dir "$data/certs.d/$store_at" "oci:$data/image:1" "docker://$store_at/$IMAGE"
pushed=$(jq -r '.manifests[0].digest' "$data/image/index.json")
note "$store_at/$IMAGE is $pushed"

for node in "${NODES[@]}"; do
  node_at=127.0.0.1:${REGISTRY_PORT[$node]}
  got=$data/pulled/$node
  say "Pull from $node"
  rm -rf "$got"
  mkdir -p "$data/pulled"
  skopeo_copy --src-cert-dir "$data/certs.d/$node_at" "docker://$node_at/$IMAGE" "dir:$got"
  pulled=sha256:$(digest_of "$got/manifest.json")
  [[ $pulled == "$pushed" ]] || fail "$node returned manifest $pulled; the pushed one is $pushed"
  for digest in $(jq -r '.config.digest, .layers[].digest' "$got/manifest.json"); do
    hex=${digest#sha256:}
    cmp "$got/$hex" "$data/image/blobs/sha256/$hex" || fail "$node returned different bytes for $digest"
    note "$digest: the same bytes"
  done
  note "$node_at/$IMAGE is $pulled: the same"
done

say "The fleet"
outportctl status

# --- next steps -------------------------------------------------------------------------------------

say "Running now"
for name in store "${NODES[@]}"; do
  for host in "${hosts[@]}"; do note "$name: https://$host:${REGISTRY_PORT[$name]}"; done
  note "$name: metrics at http://127.0.0.1:${OPERATIONS_PORT[$name]}/metrics, log $data/log/$name.log"
done
note "user '$USER_NAME', password in $data/password; client certificate in $data/certs.d"
note "administrator: $BIN/outportctl --profile $data/admin status"

if [[ -n $address ]]; then
  store_at=$address:${REGISTRY_PORT[store]}
  node_at=$address:${REGISTRY_PORT[eu-west]}
  say "With docker on this machine, as root (or with sudo)"
  # tests/install.sh installs docker without starting it. Starting a running docker does nothing.
  start_docker="service docker start"
  [[ ! -d /run/systemd/system ]] || start_docker="systemctl start docker"
  cat <<STEPS
   $start_docker
   mkdir -p /etc/docker/certs.d
   cp -r $data/certs.d/$address:* /etc/docker/certs.d/
   docker login --username $USER_NAME --password-stdin $store_at <$data/password
   docker login --username $USER_NAME --password-stdin $node_at <$data/password
   docker pull $store_at/$IMAGE
   docker tag $store_at/$IMAGE $store_at/demo/mine:1
   docker push $store_at/demo/mine:1
   docker pull $node_at/demo/mine:1
STEPS
else
  node_at=127.0.0.1:${REGISTRY_PORT[eu-west]}
  say "With skopeo"
  cat <<STEPS
   skopeo copy --authfile $data/auth.json --dest-cert-dir $data/certs.d/$store_at oci:$data/image:1 docker://$store_at/demo/mine:1
   skopeo copy --authfile $data/auth.json --src-cert-dir $data/certs.d/$node_at docker://$node_at/demo/mine:1 dir:$data/mine
STEPS
  note "docker sends no client certificate to 127.0.0.0/8. To use docker, run --clean, then run this with --address and an address of this machine."
fi

say "To stop"
note "stop:      $0 --down"
note "remove:    $0 --clean"
