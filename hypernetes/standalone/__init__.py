# SPDX-License-Identifier: Apache-2.0
"""The all-in-one environment of the quickstart and the tests, on one machine.

``table.COMPONENTS`` lists what runs, what each part needs and how its readiness is known; one module per
component in ``components``. Everything made here lives in one state directory and one cache directory, plus the few
kernel objects (a bridge, a network namespace, cgroups) that ``cleanup`` removes.
"""
