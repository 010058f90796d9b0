"""From a fused Relax module to a shared library."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, List, Optional

import cpu
import tvm
import ziglang
from schedules import schedule_by_rule, shape_of, tiled
from tiles import first_tile
from tvm.relax.transform import MetaScheduleApplyDatabase
from tvm.target import Target

SCHEDULED = "tirx.is_scheduled"


def link(output: str, objects: List[str], options: Optional[Any] = None) -> None:
    """Link object files into a shared library for any CPU, with the linker in the package ziglang.

    No compiler need be installed.
    """
    zig = str(Path(ziglang.__file__).with_name("zig"))
    subprocess.run([zig, "ld.lld", "-shared", "-o", output, *objects], check=True, capture_output=True)


def scheduled(module: tvm.IRModule, target: Target, database: Optional[Any] = None) -> tvm.IRModule:
    """Give functions a schedule, the best of a tuning database or else the project's own; return the module.

    Args:
        database: a MetaSchedule database, or None.
    """
    if database is not None:
        with target, database:
            module = MetaScheduleApplyDatabase()(module)
    for variable, function in list(module.functions.items()):
        if isinstance(function, tvm.tirx.PrimFunc) and SCHEDULED not in function.attrs:
            found = by_hand(function, cpu.widest_vector(target))
            if found is not None:
                module.update_func(variable, found.with_attr(SCHEDULED, True))
    return module


def by_hand(function: tvm.tirx.PrimFunc, widest: int) -> Optional[tvm.tirx.PrimFunc]:
    """Schedule a function without tuning for vectors of `widest` floats; None where nothing fits."""
    shape = shape_of(function, widest)
    if shape is None:
        return schedule_by_rule(function, widest)
    return tiled(function, first_tile(shape), widest).mod["main"]


def export(module: tvm.IRModule, target: Target, path: Path) -> None:
    """Compile a module and write it as a shared library that TVM's runtime loads."""
    tvm.compile(module, target=target).export_library(str(path), fcompile=link)
