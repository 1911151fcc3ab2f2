# SPDX-License-Identifier: Apache-2.0
"""The TokenReview webhook: validates Keystone tokens for apiservers.

``review`` reads and writes TokenReviews, ``identity`` maps a validated token to a Kubernetes user, ``access_rules``
judges an application credential's rules, ``validator`` calls Keystone, ``lanes`` bounds the validations in
progress, ``cache`` keeps their answers, ``answers`` combines these, and ``webhook`` is the WSGI application.
"""
