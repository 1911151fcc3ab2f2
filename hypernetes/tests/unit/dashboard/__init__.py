# SPDX-License-Identifier: Apache-2.0
"""The panels, in Horizon's own test environment, which must exist before anything of Horizon is imported."""

import os

import django
from django.test import utils

os.environ["DJANGO_SETTINGS_MODULE"] = "hypernetes.tests.unit.dashboard.settings"
django.setup()
utils.setup_test_environment()
