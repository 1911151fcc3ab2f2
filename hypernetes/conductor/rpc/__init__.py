# SPDX-License-Identifier: Apache-2.0
"""What conductors answer: to the API, and to agents whose token was verified."""
