# SPDX-License-Identifier: Apache-2.0
"""Keystone's word on who somebody is, for apiservers (TokenReview webhook) and for kubectl (exec credential).

``review`` reads and writes TokenReviews, ``identity`` maps a validated token to a Kubernetes user, ``access_rules``
judges an application credential's rules, ``validator`` asks Keystone, ``cache`` remembers for seconds, ``webhook`` is
the WSGI application; ``login`` is the helper on a user's machine and imports the standard library only.
"""
