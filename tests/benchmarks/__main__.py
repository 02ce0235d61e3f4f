"""Run the benchmarks: each `bench_*.py` beside this file, one after the other, in a process.

    make bench                    all of them
    make bench ARGS="check"       only bench_check.py

Each prints JSON lines on stdout (`bench`, the measured ratio, the goal) and ends with a code
other than 0 when it misses its goal. Only ratios within one run mean anything, so nothing else
should run beside. This runner ends with 1 when any of them did not end with 0.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(wanted: list[str]) -> int:
    """Run the named benchmarks, or all; 2 for a name that does not exist."""
    scripts = {path.stem.removeprefix("bench_"): path for path in sorted(HERE.glob("bench_*.py"))}
    unknown = [name for name in wanted if name not in scripts]
    if unknown:
        sys.stderr.write(f"没有名为 {unknown[0]} 的基准测试，可选：{' '.join(scripts)}\n")
        return 2
    failed = []
    for name, path in scripts.items():
        if wanted and name not in wanted:
            continue
        # Benchmarks share modules of this folder, also where PYTHONSAFEPATH hides it.
        environment = {**os.environ, "PYTHONPATH": str(HERE)}
        done = subprocess.run([sys.executable, str(path)], env=environment, check=False)
        code = done.returncode
        if code != 0:
            failed.append(name)
            sys.stderr.write(f"基准测试 {name} 未达标或失败（退出码 {code}）\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
