# SPDX-License-Identifier: Apache-2.0
"""The only package that talks to an apiserver, and the pure builders of everything that is put into one.

``kubeadm``, ``phases`` and ``files`` say what a control node is made of; ``objects``, ``roles``, ``flow``, ``classes``
and ``admission`` build typed objects without I/O; ``install`` lists those of a cluster; ``client`` carries them there.
"""
