#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# DevStack's entry points: https://docs.openstack.org/devstack/latest/plugins.html

# Save trace setting
_XTRACE_HYPERNETES_PLUGIN=$(set +o | grep xtrace)
set +o xtrace

# shellcheck source=devstack/lib/hypernetes disable=SC2153
source "$HYPERNETES_DIR/devstack/lib/hypernetes"

if is_hypernetes_enabled; then
    if [[ "$1" == "stack" && "$2" == "pre-install" ]]; then
        echo_summary "Installing packages for Hypernetes"
        install_hypernetes_packages
    elif [[ "$1" == "stack" && "$2" == "install" ]]; then
        echo_summary "Installing Hypernetes"
        install_hypernetes
    elif [[ "$1" == "stack" && "$2" == "post-config" ]]; then
        echo_summary "Configuring Hypernetes"
        configure_hypernetes
        create_hypernetes_accounts
        init_hypernetes
    elif [[ "$1" == "stack" && "$2" == "extra" ]]; then
        echo_summary "Starting Hypernetes"
        start_hypernetes
        enroll_hypernetes_node
        create_hypernetes_cluster
    elif [[ "$1" == "stack" && "$2" == "test-config" ]]; then
        configure_hypernetes_tests
    elif [[ "$1" == "unstack" ]]; then
        stop_hypernetes
    elif [[ "$1" == "clean" ]]; then
        cleanup_hypernetes
    fi
fi

# Restore xtrace
$_XTRACE_HYPERNETES_PLUGIN
