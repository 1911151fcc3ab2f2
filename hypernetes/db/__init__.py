# SPDX-License-Identifier: Apache-2.0
"""What is kept: tables, one repository per aggregate, migrations. Nothing above this package speaks SQL."""
