"""How a host is configured, read on the host: no secret leaves it, and what is not there is no error."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Finished, Gatherer
from ansible_collections.xuegao.net.plugins.module_utils.live_gather_configuration import gather_configuration
from ansible_collections.xuegao.net.plugins.modules import live_state

RUNNING = """\
frr version 10.3
router bgp 65001
 neighbor 10.0.0.1 password two words
 neighbor 10.0.0.2 password other
 neighbor 10.0.0.3 password two words
 neighbor 10.0.0.3 description password no secret
exit
key chain A
 key 1
  key-string chained
 exit
exit
"""
CONF = """\
[Interface]
PrivateKey = aPrivateKey
 privatekey=anotherSpelling
Address = 10.8.0.1/24
PostUp = curl -H 'Authorization: token' https://example.org
# PrivateKey = commented
# the key was formerKey
free text
# branch
[Peer]  # remark
PublicKey = public
PresharedKey = two
presharedkey=chained
AllowedIPs = ::/0
"""
OUTPUTS = {
    "show running-config": Finished(0, RUNNING, ""),
    "show daemons": Finished(0, " zebra bgpd staticd\n", ""),
    "tables": Finished(0, "table inet filter\ntable ip6 nat\n", ""),
}


def gatherer(**outputs: Finished) -> Gatherer:
    known = {**OUTPUTS, **outputs}
    return Gatherer(runner=lambda command, timeout=30: known[command[-1]])


def test_no_secret_leaves_the_host_and_equal_ones_have_one_name(tmp_path: Path) -> None:
    (tmp_path / "wg0.conf").write_text(CONF, encoding="utf-8")
    (tmp_path / "wg0.key").write_text("aPrivateKey\n", encoding="utf-8")
    found = gather_configuration(gatherer(), str(tmp_path))
    assert not any(part["error"] for part in found.values())
    text = str(found)
    for secret in ("aPrivateKey", "anotherSpelling", "two words", "other'", "chained", "token", "commented", "formerKey"):
        assert secret not in text, secret
    frr = found["frr_configuration"]["data"]
    assert frr["daemons"] == ["zebra", "bgpd", "staticd"]
    names = [line.split()[-1] for line in frr["running"].splitlines() if "<secret" in line]
    assert names == ["adopted_3>", "adopted_4>", "adopted_3>", "adopted_2>"]
    assert "description password no secret" in frr["running"]
    wireguard = found["wireguard_configuration"]["data"]
    assert wireguard["keys"] == ["wg0"]
    assert wireguard["files"]["wg0"].splitlines() == [
        "[Interface]",
        "PrivateKey = (stays here)",
        "privatekey = (stays here)",
        "Address = 10.8.0.1/24",
        "PostUp = (stays here)",
        "# branch",
        "[Peer]",
        "PublicKey = public",
        "PresharedKey = <secret adopted_1>",
        "presharedkey=<secret adopted_2>",
        "AllowedIPs = ::/0",
    ]
    assert found["tables"]["data"] == ["inet filter", "ip6 nat"]


def test_what_is_not_there_is_no_error_and_what_does_not_answer_is(tmp_path: Path) -> None:
    missing = {
        name: Finished(-1, "", "", f"{program} is not installed") for name, program in (("show running-config", "vtysh"), ("tables", "nft"))
    }
    found = gather_configuration(gatherer(**missing), str(tmp_path))
    assert not any(part["error"] for part in found.values())
    assert found["frr_configuration"]["data"] is None and found["tables"]["data"] == []
    silent = gather_configuration(gatherer(**{"show running-config": Finished(1, "", "failed to connect to any daemons.")}), str(tmp_path))
    assert silent["frr_configuration"]["error"] == "failed to connect to any daemons."


def test_the_module_gives_these_parts_when_asked() -> None:
    class Nothing(Gatherer):
        def __init__(self) -> None:
            super().__init__(runner=lambda command, timeout=30: Finished(-1, "", "", f"{command[0]} is not installed"))

    asked = {name: spec.get("default") for name, spec in live_state.ARGUMENTS.items()}
    lists: dict[str, list[str]] = {
        name: [] for name, spec in live_state.ARGUMENTS.items() if spec["type"] == "list" and asked[name] is None
    }
    state = live_state.gather(
        Nothing(),
        {**asked, **lists, "frr": False, "configuration": True},
    )
    assert {"frr_configuration", "wireguard_configuration", "tables"} <= state.keys()
