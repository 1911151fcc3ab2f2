# SPDX-License-Identifier: Apache-2.0
"""The database: tables, one repository per aggregate, migrations.

Nothing outside of this package uses SQLAlchemy or oslo.db.
"""
