# SPDX-License-Identifier: Apache-2.0
"""Makes the package an application of Django, with templates and translations."""

from django import apps


class Dashboard(apps.AppConfig):
    """The application; other packages may be called dashboard, too."""

    name = "hypernetes.dashboard"
    label = "hypernetes_dashboard"
