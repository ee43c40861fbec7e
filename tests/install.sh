#!/usr/bin/env bash
# Installs the Debian packages that the project needs to build and to run its tests. --build-only
# leaves out the packages of the tests. Installs only missing packages, so a second run is safe.
set -euo pipefail

readonly BUILD=(
  clang-19 lld-19 llvm-19 libclang-rt-19-dev clang-format-19 clang-tidy-19 cmake ninja-build ccache
  git pkg-config libgrpc++-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-dev libboost1.81-dev
  libboost-json1.81-dev libboost-url1.81-dev libssl-dev libcrypt-dev librocksdb-dev
  libyaml-cpp-dev libspdlog-dev prometheus-cpp-dev libcli11-dev libgtest-dev libgmock-dev
  libbenchmark-dev openssl
)
readonly TEST=(
  skopeo podman buildah docker.io containerd umoci busybox-static apache2-utils jq curl iproute2 procps util-linux
  pebble certbot systemd strace faketime e2fsprogs
  python3 python3-pytest spin docker-registry
)

wanted=("${BUILD[@]}")
case "${1:-}" in
  "") wanted+=("${TEST[@]}") ;;
  --build-only) ;;
  -h | --help)
    sed -n '2,3s/^# //p' "$0"
    exit 0
    ;;
  *)
    echo "install.sh: unknown argument '$1'; it takes --build-only or nothing" >&2
    exit 2
    ;;
esac

missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)
  [[ $status == ii* ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "install.sh: these packages are missing and installing them needs root or sudo:" >&2
    echo "  apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "installing ${#missing[@]} packages: ${missing[*]}"
# Keep installed services (docker's engine) from starting: the tests start their own.
policy=/usr/sbin/policy-rc.d
made_policy=
if [[ ! -e $policy ]]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
  made_policy=yes
fi
cleanup() { [[ -z $made_policy ]] || "${as_root[@]}" rm -f "$policy"; }
trap cleanup EXIT

apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 -qq "$@"; }
apt update
apt install -y --no-install-recommends "${missing[@]}" >/dev/null
