# SPDX-License-Identifier: Apache-2.0
"""The webhook of apiservers: validates Keystone tokens, and paces large writes.

``review`` reads and writes TokenReviews, ``identity`` maps a validated token to a Kubernetes user, ``access_rules``
judges an application credential's rules, ``validator`` calls Keystone, ``lanes`` bounds the validations in
progress, ``cache`` keeps their answers, and ``answers`` combines these. ``write_pace`` delays large writes, and
``webhook`` is the WSGI application.
"""
