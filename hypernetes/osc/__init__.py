# SPDX-License-Identifier: Apache-2.0
"""``openstack kube …``: what Kubernetes has no object for, as a plugin of python-openstackclient.

It is built on the SDK (``hypernetes.sdk``) and imports no server code. ``cluster``, ``node`` and ``namespace`` hold the
commands on one resource each, ``config`` writes kubeconfigs; the other modules are shared by them.
"""
