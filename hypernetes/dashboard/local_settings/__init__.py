# SPDX-License-Identifier: Apache-2.0
"""Files for Horizon's directory ``openstack_dashboard/local/local_settings.d``."""
