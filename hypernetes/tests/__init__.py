# SPDX-License-Identifier: Apache-2.0
from hypernetes import threads

# As the executables do, before anything imports oslo.messaging.
threads.use()
