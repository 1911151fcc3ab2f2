# SPDX-License-Identifier: Apache-2.0
"""What tenants may put into a cluster, as policies in CEL; there is no admission webhook on the path of a pod.

The policies apply to every namespace but the named system ones and fail closed. Each rule has a name and a message
that begins with it. ``rules`` say what a pod may be, ``workloads`` applies them to pods and to everything that has a
pod template, ``resources`` holds the rules for other kinds, ``policy`` turns rules into objects.
"""
