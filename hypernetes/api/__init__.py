# SPDX-License-Identifier: Apache-2.0
"""The REST API: it writes intent to the database, responds from the records, and notifies the conductors."""
