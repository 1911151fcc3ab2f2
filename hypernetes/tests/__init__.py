# SPDX-License-Identifier: Apache-2.0
from oslo_service import backend

# As the executables do: oslo.messaging chooses eventlet unless the backend is chosen before it is imported.
backend.init_backend(backend.BackendType.THREADING)
