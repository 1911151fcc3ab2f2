# SPDX-License-Identifier: Apache-2.0
"""Calls and casts between API, conductors and agents over RabbitMQ.

``messages`` are the frozen dataclasses that travel, ``methods`` the tables of what can be called, ``client`` the typed
clients and ``server`` the servers; ``codec`` and ``failures`` translate messages and errors to JSON and back,
``request_context`` carries the request ID, ``transport`` connects, and ``rabbitmq_admin`` confines each node's
RabbitMQ user. No other package imports oslo.messaging or names a topic.
"""
