# SPDX-License-Identifier: Apache-2.0
"""Django's settings for these tests: Horizon's own for tests, with the panels."""

import tempfile

with tempfile.TemporaryDirectory() as _scratch:
    # Horizon keeps a secret key in the directory for temporary files, where another user's may be.
    _default, tempfile.tempdir = tempfile.tempdir, _scratch
    from openstack_dashboard.test import settings as horizon_settings

    tempfile.tempdir = _default

from openstack_dashboard import enabled as horizon_enabled
from openstack_dashboard.utils import settings as settings_utils

from hypernetes.dashboard import enabled

globals().update({name: value for name, value in vars(horizon_settings).items() if name.isupper()})

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
COMPRESS_ENABLED = False
# Without what Horizon's settings added for the same dashboards.
INSTALLED_APPS = [app for app in horizon_settings.INSTALLED_APPS if not app.startswith("openstack_dashboard.")]
HORIZON_CONFIG = {
    name: value
    for name, value in horizon_settings.HORIZON_CONFIG.items()
    if name not in ("dashboards", "default_dashboard")
}
settings_utils.update_dashboards([horizon_enabled, enabled], HORIZON_CONFIG, INSTALLED_APPS)
