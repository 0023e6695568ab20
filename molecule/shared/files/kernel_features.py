"""Write into a file, as JSON, which kinds of interfaces this kernel makes here, found by making one of each."""

import json
import subprocess
import sys
from pathlib import Path

KINDS = {"bridge": [], "dummy": [], "vrf": ["table", "4711"], "wireguard": []}
NAME = "xgnprobe"

findings = {}
for kind, options in KINDS.items():
    command = ["ip", "link", "add", "dev", NAME, "type", kind, *options]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode == 0:
        subprocess.run(["ip", "link", "delete", "dev", NAME], check=True)
    works = made.returncode == 0
    reason = "" if works else f"the kernel refuses `{' '.join(command)}`: {made.stderr.strip()}"
    findings[kind] = {"works": works, "reason": reason}
target = Path(sys.argv[1])
target.parent.mkdir(parents=True, exist_ok=True)
target.write_text(json.dumps(findings), encoding="utf-8")
