# SPDX-License-Identifier: Apache-2.0
"""What WSGI servers load: ``hypernetes.wsgi.api:application`` and ``hypernetes.wsgi.webhook:application``.

Importing one of the modules makes its application, as in the other OpenStack services. ``OS_HYPERNETES_CONFIG_FILES``
(separated by ``;``) names configuration files. Under uWSGI ``lazy-apps`` is needed: connections do not survive a fork.
"""

import os


def configuration_files() -> list[str]:
    """Return the configuration files that the environment names."""
    return [name for name in os.environ.get("OS_HYPERNETES_CONFIG_FILES", "").split(";") if name]
