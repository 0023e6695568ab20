# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whatever the rules accept as a string stands in its file as that string, in its place and in one line: nothing of it is read as something else.

Each string of a host's variables is replaced by others, ordinary and nasty ones. Those that the rules accept are written with the files of all roles; each
file is read again as its program reads it, and must say the same as before, but for that string.
"""

from __future__ import annotations

import copy
import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.render.role_files import rendered_files
from ansible_collections.xuegao.net.plugins.plugin_utils.render.yaml_text import yaml_text
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import load_role_specs, variable_problems
from hypothesis import example, given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[3]
SPECS = load_role_specs(ROOT / "roles")

# A host that has something of everything. Words of capitals that begin with Q are names, and occur nowhere else.
VARIABLES: dict[str, Any] = read_yaml("""
sysctl_default_qdisc: QQDISC
sysctl_tcp_congestion_control: QCONGEST
sysctl_settings: {net.ipv4.conf.all.log_martians: QSETTING}
vrf_vrfs: [{name: QVRF, table: 200}]
vrf_interfaces:
  - {name: QBRIDGE, kind: bridge, vrf: QVRF}
  - {name: QPORT, bridge: QBRIDGE}
  - {name: QNIC}
  - {name: QVLAN, kind: vlan, parent: QNIC, vlan: 7, vrf: QVRF}
  - {name: QWG, vrf: QVRF, unit: wg-quick@QWG.service}
  - {name: QOVPN, vrf: QVRF, unit: openvpn-server@QOVPN.service}
  - {name: QL2TP, vrf: QVRF, dynamic: true}
  - {name: QGRE, vrf: QVRF}
  - {name: QVXLAN, vrf: QVRF}
  - {name: QOTHER, vrf: QVRF, unit: QUNIT.service}
vxlan_interfaces: [{name: QVXLAN, vni: 1000, local: 198.51.100.1, remotes: [198.51.100.2]}]
gre_interfaces: [{name: QGRE, peer: QGREPEER, peer_interface: QGREREMOTE, local: 198.51.100.1, remote: 198.51.100.3}]
wireguard_interfaces:
  - name: QWG
    listen_port: 51820
    mtu: 1412
    peers:
      - {name: QPEER, interface: QREMOTE, endpoint: "QENDPOINT:51820", allowed_ips: [10.0.0.0/8], public_key: iM9lZkm7vH/qrK7gZTDDKUj3/hOzK8SSLMS2zOE+ujg=}
openvpn_tunnels:
  - name: QOVPN
    role: server
    listen_port: 11940
    peer: QOVPNPEER
    peer_interface: QOVPNREMOTE
    mtu: 1400
    peer_fingerprints: &fingerprints [AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB]
  - {name: QCLIENT, role: client, remote: QHOST, remote_port: 11940, peer: QOTHERPEER, mtu: 1400, underlay_vrf: QVRF, peer_fingerprints: *fingerprints}
l2tp_ipsec_tunnels:
  - {name: QL2TP, role: lac, peer: QL2TPPEER, remote: QLNS, remote_id: QIDENTITY, preshared_key: QSECRETOFSIXTEEN, mtu: 1300,
     local_address: 10.9.0.1, remote_address: 10.9.0.2}
frr_hostname: QNAME
frr_after_units: [QAFTER.service]
frr_vrfs: [QVRF]
frr_interfaces:
  - {name: QVRF, addresses: [10.255.0.1/32]}
  - {name: QBRIDGE, description: QDESCRIPTION, addresses: [10.1.0.1/24]}
  - {name: QWG, addresses: [10.254.0.1/30]}
frr_static_routes: [{prefix: 10.3.0.0/16, next_hop: 10.254.0.2, interface: QWG, vrf: QVRF}]
frr_prefix_lists: [{name: QLIST, entries: [{seq: 5, action: permit, prefix: 10.0.0.0/8, le: 24}]}]
frr_route_maps:
  - {name: QMAPIN, entries: [{seq: 10, action: permit, description: QMAPTEXT, match: [ip address prefix-list QLIST], set: [QCHANGE 5]}]}
  - {name: QMAPOUT, entries: [{seq: 10, action: deny, match: [QCONDITION 5]}]}
frr_bfd_profiles: [{name: QPROFILE, detect_multiplier: 4}]
frr_bgp:
  - asn: 65001
    vrf: QVRF
    router_id: 10.255.0.1
    neighbors:
      - address: 10.254.0.2
        remote_as: 65002
        description: QNEIGHBOR
        bfd_profile: QPROFILE
        password: QBGPSECRET
        families: [{family: ipv4, route_map_in: QMAPIN, route_map_out: QMAPOUT}]
frr_ospf:
  - {vrf: QVRF, router_id: 10.255.0.1, install_route_map: QMAPIN, interfaces: [{name: QWG, area: 0.0.0.0, password: QOSPFSECRET, bfd_profile: QPROFILE}]}
gobgp_asn: 65001
gobgp_router_id: 10.255.0.1
gobgp_vrf: QVRF
gobgp_prefixes: [10.7.0.0/24]
gobgp_next_hops: {ipv4: 10.255.0.1}
gobgp_neighbors: [{address: 10.254.0.2, remote_as: 65002, name: QROUTER, password: QGOSECRET}]
gobgp_health: {command: QCOMMAND --quiet}
gobgp_after_units: [QGOAFTER.service]
dns_anycast_addresses: [1.1.1.1/32]
dns_anycast_vrf: QVRF
dns_anycast_interface: QVRF
dns_anycast_zones: [{name: QZONE.example, records: [QRECORD A 192.0.2.1]}]
dns_anycast_forwarders: [192.0.2.53]
dns_anycast_ssh_listen: [{address: 10.1.0.1, vrf: QVRF}, {address: 192.0.2.9}]
docker_macvlan_data_root: /QDATA
docker_macvlan_daemon: {log-driver: QDRIVER}
docker_macvlan_after_units: [QDOCKERAFTER.service]
docker_macvlan_images: [{name: QIMAGE, archive: /QARCHIVE}]
docker_macvlan_networks: [{name: QNETWORK, parent: QVXLAN, subnets: [{subnet: 10.100.0.0/24}]}]
docker_macvlan_containers: [{name: QCONTAINER, image: QIMAGE, network: QNETWORK, ipv4: 10.100.0.9}]
firewall_trusted_interfaces: [QNIC]
firewall_ssh_from: [192.0.2.0/24]
firewall_tcp_mss_interfaces: [QWG]
firewall_tcp_mss: {ipv4: 1300}
verify_site: QSITE
failover_test_paths:
  - {peer: QFAILPEER, vrf: QVRF, destination: 10.255.0.2, tunnels: [{name: QWG, protocol: udp, match: [QMATCH 5]}]}
""")

WORDS = sorted(set(re.findall(r"Q[A-Z0-9]{3,}", json.dumps(VARIABLES))))
# Registry of what no file has: what only a module or a report gets.
NASTY = "\"'\\$%;#!{}()[]|&<>`~*?=,:@/-+ .^\n\r\t\0\x0b\x1b\x85\u00a0\u2028\u202e\u3000é漢"


def replaced(value: Any, word: str, text: str) -> Any:
    """Return variables with another text wherever a word stands."""
    if isinstance(value, dict):
        return {replaced(key, word, text): replaced(item, word, text) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, word, text) for item in value]
    return re.sub(rf"{word}(?![A-Z0-9])", lambda _found: text, value) if isinstance(value, str) else value


def files_of(variables: dict[str, Any]) -> dict[str, str]:
    """Return the text of every file by path."""
    return dict(rendered_files("host", copy.deepcopy(variables)))  # type: ignore[arg-type]


# ---- how programs read their files ---------------------------------------------------------------------------------------------------------


def plain(text: str) -> Iterator[Any]:
    """Lines of words. A comment is told apart by what it begins with, and is one item."""
    for line in text.split("\n"):
        yield [line] if line.lstrip().startswith(("#", ";")) else line.split()


def frr(text: str) -> Iterator[Any]:
    for line in text.split("\n"):
        if "| " in line:
            raise ValueError("a filter of the output")
        if not line.strip().startswith(("!", "#")) and len(line) < 4096:
            yield line.split()


UNIT_LISTS = ("After", "Wants")


def unit(text: str) -> Iterator[Any]:
    """systemd.syntax(7): a backslash at the end goes on in the next line, % begins a specifier, quotes and $ count in commands."""
    for line in text.split("\n"):
        if line.endswith("\\"):
            raise ValueError("the line goes on")
        if line.lstrip().startswith(("#", ";")):
            continue
        key, _equals, value = line.partition("=")
        # The one that the templates write themselves.
        if "%" in value.replace("%n", ""):
            raise ValueError("a specifier")
        if key.startswith("Exec"):
            words = shlex.split(value)
            yield key, [shlex.split(word, comments=True) if len(word.split()) > 3 else word for word in words]
        else:
            words = [word.encode().decode("unicode_escape") if "\\x" in word else word for word in value.split()]
            # Lists of units have no order.
            yield key, sorted(words) if key in UNIT_LISTS else words


def nft(text: str) -> Iterator[Any]:
    for line in text.split("\n"):
        yield [line] if line.lstrip().startswith("#") else re.findall(r'"[^"]*"|[{}();,#]|[^\s{}();,#"]+|"', line)


def swanctl(text: str) -> Iterator[Any]:
    for line in text.split("\n"):
        if line.lstrip().startswith("#"):
            yield [line]
            continue
        if "#" in line:
            raise ValueError("a comment")
        key, equals, value = line.partition(" = ")
        braces = re.sub(r'"[^"]*"', "", line)
        yield key.split(), equals, value.strip().strip('"').split(), braces.count("{"), braces.count("}"), braces.count('"')


def zone(text: str) -> Iterator[Any]:
    depth = 0
    for line in text.split("\n"):
        bare = re.sub(r"\\.", "", line)
        bare = re.sub(r'"[^"]*"', "", bare).partition(";")[0]
        depth += bare.count("(") - bare.count(")")
        if depth or '"' in bare:
            raise ValueError("the record goes on")
        yield line.startswith("$"), line.split()


def wireguard(text: str) -> Iterator[Any]:
    for line in text.split("\n"):
        if line.startswith("#"):
            continue
        key, _equals, value = line.partition("=")
        if "#" in value:
            raise ValueError("a comment")
        yield key.strip(), value.strip()


READERS: tuple[tuple[str, Callable[[str], Any]], ...] = (
    (r"/etc/frr/frr\.conf", frr),
    (r"/etc/systemd/system/.*", unit),
    (r".*\.json", json.loads),
    (r"/etc/gobgpd\.conf", tomllib.loads),
    (r"/etc/xgn/firewall\.nft", nft),
    (r"/etc/swanctl/.*", swanctl),
    (r".*\.zone", zone),
    (r"/etc/wireguard/.*\.conf", wireguard),
    (r".*", plain),
)


def read(path: str, text: str) -> Any:
    """Read a file as its program does."""
    found = next(reader for pattern, reader in READERS if re.fullmatch(pattern, path, re.DOTALL))(text)
    return found if isinstance(found, dict) else list(found)


def shown(value: Any, word: str, text: str, words: bool = True) -> Any:
    """Return what was read, with another text in place of a word: where it was one word of a line (words), its words."""
    if isinstance(value, dict):
        return {shown_text(key, word, text): shown(item, word, text, words=False) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        found: list[Any] = []
        for item in value:
            is_word = words and isinstance(item, str) and not item.lstrip().startswith(("#", ";"))
            if is_word and re.search(rf"{word}(?![A-Z0-9])", item) and text.split() != [text]:
                found += shown_text(item, word, text).split()
            else:
                found.append(shown(item, word, text, words))
        return found
    return shown_text(value, word, text) if isinstance(value, str) else value


def shown_text(value: str, word: str, text: str) -> str:
    return re.sub(rf"{word}(?![A-Z0-9])", lambda _found: text, value)


def as_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: as_lists(item) for key, item in value.items()}
    if not isinstance(value, (list, tuple)):
        return value
    # What depends on a name in its order comes in another one.
    found = [as_lists(item) for item in value]
    return [found[0], sorted(found[1])] if len(found) == 2 and found[0] in UNIT_LISTS else found


# ---- the property --------------------------------------------------------------------------------------------------------------------------

WRITTEN = files_of(VARIABLES)
BEFORE = {path: read(path, text) for path, text in WRITTEN.items()}
TEXTS = st.one_of(
    st.text(alphabet=NASTY + "aZ09", min_size=1, max_size=8),
    st.builds(
        lambda one, two, three: one + two + three,
        st.sampled_from(["a", "x1", ""]),
        st.sampled_from(NASTY),
        st.sampled_from(["", "b", " c"]),
    ),
    st.text(min_size=1, max_size=6),
    st.from_regex(r"[A-Za-z0-9_.-]{1,12}", fullmatch=True),
)
INJECTIONS = (
    "a\nPostUp = x",
    "a\r\nb",
    "x\u2028y",
    "a\x00b",
    "a | include b",
    'a"; b "',
    "a'; reboot; '",
    "%h",
    "$(reboot)",
    "`reboot`",
    "a } b {",
    "-x",
    "#a",
    "!a",
    ";a",
    "$INCLUDE /etc/shadow",
    "( a",
    "\\",
    "..",
    "a\tb",
    "0xabcdefabcdefabcdef",
)


def test_the_host_is_accepted_and_every_word_is_in_it() -> None:
    assert [str(problem) for problem in variable_problems(VARIABLES, SPECS)] == []
    written = json.dumps(list(files_of(VARIABLES).items()))
    # What is not here is no part of a file that is rendered: it goes to a module, to the registry of keys, or into a report.
    assert {word for word in WORDS if word not in written} == NOT_IN_FILES


NOT_IN_FILES = {
    *("QREMOTE", "QOVPNREMOTE"),  # looked up in the registry of keys
    *("QSECRETOFSIXTEEN", "QBGPSECRET", "QOSPFSECRET", "QGOSECRET"),  # put in on the host
    *("QIMAGE", "QARCHIVE", "QNETWORK"),  # said to Docker
    *("QSITE", "QFAILPEER", "QMATCH"),
}


@pytest.mark.parametrize("word", WORDS)
@settings(max_examples=12)
@given(TEXTS)
@example("a b")
def test_what_is_accepted_stays_in_its_place(word: str, text: str) -> None:
    check(word, text)


@pytest.mark.parametrize("word", WORDS)
def test_no_injection_is_read_as_more_than_a_value(word: str) -> None:
    for text in INJECTIONS:
        check(word, text)


def check(word: str, text: str) -> None:
    """Refused, or written as one value."""
    variables = replaced(VARIABLES, word, text)
    if len(variable_problems(variables, SPECS)):
        return
    after = files_of(variables)
    former = {shown_text(path, word, text): path for path in WRITTEN}
    assert after.keys() == former.keys()
    for path, written in after.items():
        before = former[path]
        if word not in WRITTEN[before] and written == WRITTEN[before]:
            continue
        assert written.count("\n") == WRITTEN[before].count("\n"), path
        assert as_lists(read(path, written)) == as_lists(shown(BEFORE[before], word, text)), path
    # What the plan writes for the role to read.
    assert read_yaml(yaml_text(variables)) == variables


SECRETS = {
    "QSECRETOFSIXTEEN": '        secret = "{}"',
    "QBGPSECRET": " neighbor 10.254.0.2 password {}",
    "QGOSECRET": 'auth-password = "{}"',
}


@pytest.mark.parametrize("word", SECRETS)
@settings(max_examples=100)
@given(st.one_of(TEXTS, st.text(alphabet=NASTY + "aZ", min_size=16, max_size=20)))
@example("0s" + "a" * 20)
@example('a"b' + "c" * 16)
def test_a_secret_that_is_accepted_is_read_as_it_is(word: str, text: str) -> None:
    """Secrets are put in on the host, into the line that the template leaves for them."""
    if len(variable_problems(replaced(VARIABLES, word, text), SPECS)):
        return
    line = SECRETS[word].format(text)
    if word == "QGOSECRET":
        assert tomllib.loads(line) == {"auth-password": text}
    elif word == "QBGPSECRET":
        assert line.split() == ["neighbor", "10.254.0.2", "password", text]
        assert "| " not in line
    else:
        assert re.fullmatch(r'\s*secret = "([^"\\]*)"', line)
        assert not text.startswith(("0x", "0s"))
