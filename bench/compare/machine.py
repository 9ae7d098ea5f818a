"""What the table was measured on, and how quiet it was. Linux alone."""

import os
import pathlib
import re
import resource


def processor():
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"model name\s*:\s*(.*)", text)
    return found.group(1) if found else os.uname().machine


def instructions():
    """Those of the processor's that matter here."""
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"^(?:flags|Features)\s*:\s*(.*)", text, re.MULTILINE)
    flags = set(found.group(1).split()) if found else set()
    wanted = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "asimddp",
              "i8mm", "sve")
    return [flag for flag in wanted if flag in flags]


def memory_bytes():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def describe(threads):
    return {"processor": processor(), "instructions": instructions(),
            "cores": len(os.sched_getaffinity(0)), "threads": threads,
            "memory_gib": round(memory_bytes() / 2**30), "system": os.uname().release}


class Disturbance:
    """How much of the machine others took since the start: what neither we nor our programs used,
    and what the host gave to other machines."""

    def __init__(self):
        self.before = self._now()

    @staticmethod
    def _now():
        fields = pathlib.Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()
        ticks = [int(field) for field in fields[1:9]]
        user, nice, system, idle, iowait, irq, soft_irq, steal = ticks
        mine = sum(usage.ru_utime + usage.ru_stime for usage in map(
            resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
        a_second = os.sysconf("SC_CLK_TCK")
        return {"all": sum(ticks) / a_second, "steal": steal / a_second, "mine": mine,
                "busy": (user + nice + system + irq + soft_irq) / a_second}

    def measure(self):
        """Fractions of the machine's time: {"others": …, "stolen": …}. Programs of ours that still
        run count as others: ask when they have ended."""
        now = self._now()
        spent = {key: now[key] - self.before[key] for key in now}
        whole = max(spent["all"], 1e-9)
        return {"others": max(0.0, spent["busy"] - spent["mine"]) / whole,
                "stolen": spent["steal"] / whole}
