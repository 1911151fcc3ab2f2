# SPDX-License-Identifier: Apache-2.0
"""One repository per aggregate. Each method is one transaction; they take and return frozen records."""
