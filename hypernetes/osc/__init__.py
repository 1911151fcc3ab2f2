# SPDX-License-Identifier: Apache-2.0
"""``openstack kube …``: what Kubernetes has no object for, as a plugin of python-openstackclient.

It stands on an openstacksdk proxy (``proxy``) and imports nothing of the service's own packages. One module per
noun; ``waiting`` follows an object to its end, ``kubeconfig`` is pure.
"""
