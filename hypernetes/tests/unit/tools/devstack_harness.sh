# shellcheck shell=bash disable=SC2034,SC2317
# SPDX-License-Identifier: Apache-2.0
#
# DevStack's functions and variables as the plugin sees them, without DevStack: each call is a line of $CALLS. Used by
# test_devstack.py, which checks the lines.
#
#   bash devstack_harness.sh DIRECTORY SERVICES MODE [PHASE]

set -o errexit -o nounset -o pipefail

directory=$1
ENABLED_SERVICES=,$2,
DISABLED_SERVICES=
shift 2
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../.." && pwd)
CALLS=$directory/calls

DEST=$directory/dest
DATA_DIR=$directory/data
INT_CA_DIR=$DATA_DIR/CA/int-ca
HORIZON_DIR=$directory/horizon
HYPERNETES_DIR=$repository
HYPERNETES_CONF_DIR=$directory/etc
HYPERNETES_DIST=$directory/dist
HYPERNETES_DIST_DIR=$directory/lib/hypernetes
SERVICE_HOST=192.0.2.10
HOST_IP=192.0.2.10
RABBIT_HOST=192.0.2.10
RABBIT_PASSWORD=secret
REGION_NAME=RegionOne
SERVICE_TIMEOUT=60
STACK_USER=$(id -un)
ENABLE_DEBUG_LOG_LEVEL=True
SSL_BUNDLE_FILE=$DATA_DIR/ca-bundle.pem
PYTHON=devstack_python
TEMPEST_CONFIG=$directory/tempest.conf

call() {
    printf '%s' "$1" >>"$CALLS"
    shift
    printf '\t%s' "$@" >>"$CALLS"
    printf '\n' >>"$CALLS"
}

for name in \
    define_plugin enable_service install_package pip_install setup_develop iniset inidelete iniset_rpc_backend \
    configure_keystoneauth configure_keystone_authtoken_middleware write_uwsgi_config create_service_user \
    get_or_add_user_domain_role get_or_create_service get_or_create_endpoint rabbit_setuser recreate_database \
    run_process stop_process wait_for_service make_cert configure_CA init_CA echo_summary die sudo devstack_python; do
    eval "$name() { call $name \"\$@\"; }"
done

trueorfalse() { echo "${!2:-$1}"; }
is_service_enabled() { [[ $ENABLED_SERVICES == *",$1,"* ]]; }
database_connection_url() { echo "mysql+pymysql://root:secret@192.0.2.10/$1"; }
get_python_exec_prefix() { echo "$directory/bin"; }
which() { echo "/usr/bin/$1"; }

openstack() {
    call openstack "$@"
    printf 'node-id\nplanted-secret\n'
}

mkdir -p "$directory/bin" "$INT_CA_DIR" "$HYPERNETES_CONF_DIR" "$HORIZON_DIR/openstack_dashboard/local/"{enabled,local_settings.d}
ln -sf /bin/true "$directory/bin/hypernetes-manage"
source "$repository/devstack/settings"
source "$repository/devstack/plugin.sh" "$@"
