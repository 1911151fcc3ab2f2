# SPDX-License-Identifier: Apache-2.0
"""Has Horizon check the policies of Hypernetes. Horizon executes this file within its settings."""

from pathlib import Path

from hypernetes import dashboard

_POLICIES = Path(dashboard.__file__).parent / "policies"
_settings = globals()
# What the operator overrides for the API is overridden here, too: name that file instead.
POLICY_FILES = {**_settings.get("POLICY_FILES", {}), "kubernetes": str(_POLICIES / "overrides.yaml")}
DEFAULT_POLICY_FILES = {**_settings.get("DEFAULT_POLICY_FILES", {}), "kubernetes": str(_POLICIES / "defaults.yaml")}
