# SPDX-License-Identifier: Apache-2.0
"""The REST API: writes intent, answers from the records, and tells the conductors that there is work."""
