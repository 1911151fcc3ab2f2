# SPDX-License-Identifier: Apache-2.0
"""The shim's configuration, made from the node's options."""

from typing import Any

from oslo_config import cfg

from hypernetes.agent import files
from hypernetes.agent.host.layout import Layout


def configuration(conf: cfg.ConfigOpts, layout: Layout) -> dict[str, Any]:
    """Return the content of runtime.json; sizes are in bytes."""
    return {
        "guest_dir": str(layout.guest),
        "qemu": conf.node.qemu,
        "accelerator": conf.node.accelerator,
        "translation_buffer": conf.node.translation_buffer,
        "records_dir": str(layout.sandbox_records),
        "vm_dir": str(layout.machines),
        "services_dir": str(layout.service_tables),
        "scratch_size": conf.node.scratch_size,
        "scratch_reserve": conf.node.scratch_reserve,
        "scratch_allocation_ratio": conf.node.scratch_allocation_ratio,
        "default_memory": conf.node.default_memory,
        "overhead_memory": conf.node.overhead_memory,
        "uid_base": conf.node.uid_base,
        "uid_count": conf.node.uid_count,
        "templates": conf.node.templates,
        "templates_socket": str(layout.templates_socket),
        "templates_count": conf.node.templates_count,
        "templates_memory": conf.node.templates_memory,
        "templates_age": conf.node.templates_age,
        "templates_idle": conf.node.templates_idle,
        "templates_grace": conf.node.templates_grace,
    }


def write(conf: cfg.ConfigOpts, layout: Layout) -> None:
    """Write runtime.json; running shims keep what they have read."""
    files.write_json(layout.runtime, configuration(conf, layout), 0o644)
