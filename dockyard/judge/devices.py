"""On which device a record was measured. Speeds of two devices are never compared."""

from __future__ import annotations

from shared.contract.record import Record

BOOT = "boot_id"
"""What a device says of its start, in `Record.device`; another one is another machine, or a restart."""


def same_device(one: Record, other: Record) -> bool:
    """Tell whether two records were measured on one device, as far as their executors and devices say."""
    boots = [record.device[BOOT] for record in (one, other) if record.device.get(BOOT)]
    return one.engine == other.engine and len(set(boots)) < 2


def device_name(record: Record) -> str:
    """Return the CPU and the threads that were used, as a table names them."""
    return f"{record.device.get('cpu', 'unknown')}, {record.device.get('threads', '?')} threads"


def full_device_name(record: Record) -> str:
    """Return what tells the device of a record from that of another one."""
    boot = str(record.device.get(BOOT, ""))[:8]
    return f"{device_name(record)} (engine {record.engine}{f', boot {boot}' if boot else ''})"
