"""Record what a host's programs print, as a fixture for the tests.

    python tests/unit/verify/record.py DESTINATION.json PING_DESTINATION PING_SOURCE VRF -- ssh HOST

The gatherer's own code is sent over standard input and runs there with its own commands; nothing is left on the host. WireGuard's
private and preshared keys are replaced there, before anything leaves. The file holds, by command line, the exit status, both
outputs and the seconds it took.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

UTILS = Path(__file__).resolve().parents[3] / "plugins" / "module_utils"
PACKAGE = "ansible_collections.xuegao.net.plugins.module_utils"
ON_HOST = r"""
import json, sys, time, types
for name, text in SOURCES:
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(text, name, "exec"), module.__dict__)
gather = sys.modules["live_gather"]
log = {}
def record(command, timeout=30):
    started = time.time()
    done = gather.run(command, timeout=timeout)
    out = done.out
    if command[0] == "wg":
        # the moment by which the age of a handshake is counted
        log["time"] = started
        lines = [line.split("\t") for line in out.splitlines()]
        for fields in lines:
            place = 1 if len(fields) == 5 else 2
            if fields[place] != "(none)":
                fields[place] = "SECRET" + "=" * 38
        out = "\n".join("\t".join(fields) for fields in lines) + "\n"
    log[" ".join(command)] = entry = {"rc": done.rc, "out": out, "err": done.err, "problem": done.problem}
    entry["seconds"] = round(time.time() - started, 2)
    return done
gatherer = gather.Gatherer(runner=record)
gatherer.frr([{"vrf": PING[2], "prefix": PING[1] + "/32"}])
gatherer.network()
gatherer.wireguard(["wg0"])
units = ["wg-quick@wg0.service", "interface.service", "frr.service"]
gatherer.units(units + ["NetworkManager.service", "network-online.target"], units)
gatherer.frr_config()
base = {"destination": PING[0], "source": PING[1], "vrf": PING[2]}
sizes = [("reach 0", {}), ("fits 0", {"size": 1384, "df": True}), ("over 0", {"size": 1385, "df": True, "count": 2})]
gatherer.pings([dict(base, id=name, **more) for name, more in sizes])
plot = gatherer.boot_plot()
log.pop("systemd-analyze plot")
files = {"wg0": gather.configuration_file("/etc/wireguard/wg0.conf")}
print(json.dumps({"time": log.pop("time"), "system": gather.system(), "files": files, "commands": log}))
"""


def collect(name: str, sources: dict[str, str]) -> None:
    """Add a file of module_utils to the sources, after those it imports, as modules that stand alone."""
    text = (UTILS / f"{name}.py").read_text(encoding="utf-8")
    for module, names in re.findall(rf"^from {re.escape(PACKAGE)}(?:\.(\w+))? import (.+)$", text, re.MULTILINE):
        for needed in [module] if module else [word.split()[0] for word in names.split(",")]:
            if needed not in sources:
                collect(needed, sources)
    sources[name] = text.replace(f"from {PACKAGE} import ", "import ").replace(f"from {PACKAGE}.", "from ")


def main() -> None:
    """Send the code, keep the answer."""
    split = sys.argv.index("--")
    target, *ping = sys.argv[1:split]
    sources: dict[str, str] = {}
    collect("live_gather", sources)
    code = f"SOURCES = {list(sources.items())!r}\nPING = {ping!r}\n{ON_HOST}"
    done = subprocess.run([*sys.argv[split + 1 :], "python3", "-"], input=code, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    Path(target).write_text(json.dumps(answer, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for command, entry in answer["commands"].items():
        print(f"{entry['seconds']:6.2f} s  {command[:110]}")


if __name__ == "__main__":
    main()
