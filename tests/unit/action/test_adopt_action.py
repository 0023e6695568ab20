"""Action adopt: one remote call, a file that Ansible reads, and no secret in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible_collections.xuegao.net.plugins.action import adopt_network
from ansible_collections.xuegao.net.plugins.action.adopt import ActionModule, printable
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml

Act = Callable[..., dict[str, Any]]
RUNNING = """\
frr version 10.3
frr defaults traditional
log syslog informational
router bgp 65001
 no bgp default ipv4-unicast
 no bgp network import-check
 neighbor 10.0.0.1 remote-as 65002
 neighbor 10.0.0.1 password <secret adopted_1>
 !
 address-family ipv4 unicast
  neighbor 10.0.0.1 activate
  neighbor 10.0.0.1 route-map IN in
 exit-address-family
exit
ip prefix-list P description ours
end
"""


def part(data: Any) -> dict[str, Any]:
    return {"command": "command", "data": data, "error": None}


STATE = {
    "links": part({}),
    "vxlan": part({}),
    "gre": part({}),
    "routes": part([]),
    "wireguard": part({}),
    "wireguard_configuration": part({"files": {}, "keys": []}),
    "frr_configuration": part({"running": RUNNING, "daemons": ["zebra", "bgpd"]}),
    "tables": part(["inet filter"]),
    "sysctl": part({}),
}


def adopt(act: Act, directory: Path, **more: Any) -> dict[str, Any]:
    sent: list[tuple[str, dict[str, Any]]] = []

    def answer(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        sent.append((name, arguments))
        return {"state": STATE}

    done = act(ActionModule, {"directory": str(directory)}, {"inventory_hostname": "edge"}, answer=answer, **more)
    assert [name for name, _arguments in sent] == ["xuegao.net.live_state"] and sent[0][1]["configuration"] is True
    return done


def test_a_host_is_described_in_a_file(act: Act, tmp_path: Path) -> None:
    done = adopt(act, tmp_path / "new")
    path = tmp_path / "new" / "host_vars" / "edge.yml"
    assert done["path"] == str(path) and done["changed"]
    assert done["msg"] == f"edge: 1 variables, 1 secrets, 2 things left, 3 mistakes; written to {path}"
    text = path.read_text(encoding="utf-8")
    (instance,) = read_yaml(text)["frr_bgp"]
    assert instance["neighbors"][0]["password"] == "{{ adopted_1 }}"
    # A template is judged when it has a value; what a person has to write is told now.
    assert done["mistakes"] == [
        "frr_bgp[0].router_id: is required",
        "frr_bgp[0].neighbors[0].families[0].route_map_out: is required",
        "frr_bgp[0].neighbors[0].families[0].route_map_in: route map 'IN' is not defined; defined route maps: none",
    ]
    assert text[text.index("# Secrets") :].splitlines() == [
        "# Secrets, which have stayed on the host. Give each its value, in a vault:",
        "#   adopted_1: BGP's password of neighbor 10.0.0.1",
        "# What the roles would refuse of the above; correct it before it is used:",
        *(f"#   {line}" for line in done["mistakes"]),
        "# What no variable says:",
        "#   FRR / ip prefix-list P description ours: is said by another option; write it there: frr_prefix_lists",
        "#   nft table inet filter: is somebody else's, and is never touched",
    ]
    assert not adopt(act, tmp_path / "new")["changed"]


def test_check_mode_writes_nothing(act: Act, tmp_path: Path) -> None:
    done = adopt(act, tmp_path / "new", check=True)
    assert done["changed"] and done["msg"].endswith("; not written: check mode")
    assert not (tmp_path / "new").exists()


def test_a_host_that_cannot_be_read_fails(act: Act, tmp_path: Path) -> None:
    done = act(
        ActionModule,
        {"directory": str(tmp_path)},
        {"inventory_hostname": "edge"},
        answer=lambda *_: {"failed": True, "msg": "no Python"},
    )
    assert done["failed"] and done["msg"] == "the host could not be read: no Python"


def test_a_directory_that_cannot_be_written_is_told(act: Act, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(AnsibleError, match=r"cannot write .*edge\.yml: "):
        adopt(act, tmp_path / "file")


def test_what_several_hosts_are_is_the_beginning_of_an_intent(act: Act, tmp_path: Path) -> None:
    variables = {"frr_interfaces": [{"name": "lo", "addresses": ["192.0.2.1/32"]}]}
    routers: dict[str, Any] = {"edge": {"variables": variables, "public_keys": {}, "uplink": {}}}
    arguments = {"routers": routers, "directory": str(tmp_path)}
    assert not act(adopt_network.ActionModule, arguments, {}, check=True)["msg"].endswith(str(tmp_path / "intent.yml"))
    assert not list(tmp_path.iterdir())
    done = act(adopt_network.ActionModule, arguments, {})
    assert (done["changed"], done["msg"]) == (True, f"1 nodes, 0 links; written to {tmp_path / 'intent.yml'}")
    assert read_yaml((tmp_path / "intent.yml").read_text(encoding="utf-8")) == done["intent"]
    assert done["intent"] == {"xgn_nodes": {"edge": {"id": 1, "loopback": {"ipv4": "192.0.2.1"}}}}
    assert done["mistakes"] == []
    # What a person has to add is told as a plan tells it.
    routers["other"] = {"variables": {"frr_bgp": [{"asn": 23456, "neighbors": []}]}, "public_keys": {}, "uplink": {}}
    more = act(adopt_network.ActionModule, arguments, {})
    assert more["mistakes"] and all(problem.startswith("xgn_nodes.") for problem in more["mistakes"])


def test_a_remark_stays_on_its_line() -> None:
    assert printable("nft table inet a\nxgn_x: 1\x1b") == "nft table inet a?xgn_x: 1?"
