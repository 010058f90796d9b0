"""On which device a record was measured. Speeds of two devices are never compared."""

from __future__ import annotations

from shared.contract.record import Record

BOOT = "boot_id"
"""What a device says of its start, in `Record.device`; another one is another machine, or a restart."""

INSTRUCTIONS = {
    "amx_tile": "AMX",
    "avx512_bf16": "AVX-512 with BF16",
    "avx512_vnni": "AVX-512 with VNNI",
    "avx512f": "AVX-512",
    "avx_vnni": "AVX2 with VNNI",
    "avx2": "AVX2",
}
"""What a CPU has that low precision gains by, from the best down, by its flag (`LOW_PRECISION`)."""


def same_device(one: Record, other: Record) -> bool:
    """Tell whether two records were measured on one device, as far as their executors and devices say."""
    boots = [record.device[BOOT] for record in (one, other) if record.device.get(BOOT)]
    return one.engine == other.engine and len(set(boots)) < 2


def device_name(record: Record) -> str:
    """Return the CPU and the threads that were used, as a table names them.

    Clouds hide which CPU it is: two of one name are told apart by their best instructions.
    """
    flags = str(record.device.get("flags", "")).split()
    best = next((name for flag, name in INSTRUCTIONS.items() if flag in flags), "")
    cpu = f"{record.device.get('cpu', 'unknown')}{f', {best}' if best else ''}"
    return f"{cpu}, {record.device.get('threads', '?')} threads"


def full_device_name(record: Record) -> str:
    """Return what tells the device of a record from that of another one."""
    boot = str(record.device.get(BOOT, ""))[:8]
    return f"{device_name(record)} (engine {record.engine}{f', boot {boot}' if boot else ''})"
