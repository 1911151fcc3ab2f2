# SPDX-License-Identifier: Apache-2.0
"""One repository per aggregate. Each method is one transaction; its docstring says what must hold before."""
