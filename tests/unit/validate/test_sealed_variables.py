"""What a host is recorded to have applied holds no secret, by the roles' own specs, and is the same on both sides of a comparison."""

from __future__ import annotations

import datetime
import json
import textwrap
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible.template import Templar, trust_as_template
from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import Seal
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_values import HostValues, simple
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import load_role_specs
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.sealed_variables import sealed_variables

SPECS = load_role_specs(Path(__file__).resolve().parents[3] / "roles")
SECRET = VaultSecret(b"the password of the vault")


def sealed(variables: dict[str, Any], seal: Seal | None = None) -> dict[str, Any]:
    templar = Templar(loader=DataLoader(), variables=variables)
    return sealed_variables("r1", variables, HostValues(variables, templar.template), SPECS, seal or Seal(b"key"))


def loaded(path: Path, text: str, encrypted: bool = False) -> dict[str, Any]:
    """The variables of a file as Ansible reads it."""
    content = VaultLib([("default", SECRET)]).encrypt(text, SECRET) if encrypted else text.encode()
    path.write_bytes(content)
    loader = DataLoader()
    loader.set_vault_secrets([("default", SECRET)])
    found: dict[str, Any] = loader.load_from_file(str(path), trusted_as_template=True)
    return found


def test_secrets_by_the_specs_of_the_roles() -> None:
    found = sealed(
        {
            "docker_macvlan_containers": [
                {"name": "a", "env": {"DB_PASSWORD": "swordfish1", "N": 1}, "command": ["run", "--token=swordfish2"]}
            ],
            "docker_macvlan_daemon": {"proxies": {"http-proxy": "http://u:swordfish3@proxy"}, "registry-mirrors": ["https://swordfish4@m"]},
            "frr_bgp": [{"asn": 65001, "neighbors": [{"address": "10.0.0.1", "password": "swordfish5", "pasword": "swordfish6"}]}],
            "l2tp_ipsec_pks": "swordfish7",
            "frr_bgp_passwords": {"10.0.0.1": "swordfish8"},
            "xgn_uplink_mtu": 1400,
        }
    )
    text = json.dumps(found)
    assert "swordfish" not in text
    (container,) = found["docker_macvlan_containers"]
    assert container["name"] == "a" and set(container["env"]) == {"DB_PASSWORD", "N"}, "what is set is told, and not to what"
    assert (found["frr_bgp"][0]["asn"], found["frr_bgp"][0]["neighbors"][0]["address"], found["xgn_uplink_mtu"]) == (
        65001,
        "10.0.0.1",
        1400,
    )
    assert found["l2tp_ipsec_pks"].startswith("<secret ") and set(found["frr_bgp_passwords"]) == {"10.0.0.1"}


@pytest.mark.parametrize("whole_file", [True, False], ids=["a file that is encrypted", "a value that is encrypted"])
def test_what_refers_to_a_vaulted_value_is_a_secret(tmp_path: Path, whole_file: bool) -> None:
    if whole_file:
        vaulted = loaded(tmp_path / "vault.yml", "vault_word: swordfish\nvault_nested: {deep: {word: swordfish}}\n", encrypted=True)
    else:
        cipher = textwrap.indent(VaultLib([("default", SECRET)]).encrypt(b"swordfish", SECRET).decode(), " " * 8)
        text = f"vault_word: !vault |\n{cipher}\nvault_nested:\n  deep:\n    word: !vault |\n{cipher}\n"
        vaulted = loaded(tmp_path / "vault.yml", text)
    plain_ones = loaded(
        tmp_path / "plain.yml",
        """
frr_hostname: "r-{{ vault_word }}"
frr_log_level: "{{ by_another_name }}"
by_another_name: "{{ vault_nested.deep.word | upper }}"
sysctl_settings: {a: "{{ vault_word }}", b: plain, "c": "{{ harmless }}"}
sysctl_default_qdisc: "{{ harmless }}"
harmless: fq_codel
dns_anycast_zones: "{{ all_zones }}"
all_zones: [{name: a, note: "{{ vault_word }}"}]
""",
    )
    variables = {**vaulted, **plain_ones}
    loader = DataLoader()
    loader.set_vault_secrets([("default", SECRET)])
    values = HostValues(variables, Templar(loader=loader, variables=variables).template)
    told = {name: values.is_vaulted(value) for name, value in plain_ones.items()}
    assert {name for name, vaulted_one in told.items() if not vaulted_one} == {"sysctl_default_qdisc", "harmless"}
    assert all(values.is_vaulted(value) for value in vaulted.values())
    if whole_file:
        found = sealed(variables)
        assert "swordfish" not in json.dumps(found).lower()
        assert (found["sysctl_settings"]["b"], found["sysctl_settings"]["c"]) == ("plain", "fq_codel")
        assert found["sysctl_settings"]["a"].startswith("<secret ")


def test_a_variable_that_names_itself_or_is_no_template_is_no_secret() -> None:
    values = HostValues({"a": "{{ b }}", "b": "{{ a }}", "hostvars": object()}, str)
    for text in ("{{ a }}", "{{ not closed", "{% raw %}", "{{ hostvars.r2.psk }}", "{{ nobody }}", 7, None):
        assert not values.is_vaulted(text)


def test_a_default_is_told_by_what_it_comes_to() -> None:
    names = {"inventory_hostname_short": "r1", "sysctl_ip_forward": False}
    assert "frr_hostname" not in sealed({**names, "frr_hostname": SPECS.defaults["frr_hostname"]}), "as the role itself gives it"
    assert "frr_hostname" not in sealed({**names, "frr_hostname": trust_as_template("{{ inventory_hostname_short }}")})
    assert "frr_hostname" not in sealed({**names, "frr_hostname": "r1"})
    assert sealed({**names, "frr_hostname": "r2"})["frr_hostname"] == "r2"
    assert "frr_log_level" not in sealed({**names, "level": "informational", "frr_log_level": trust_as_template("{{ level }}")})
    assert "frr_log_level" not in sealed({**names, "frr_log_level": trust_as_template("{{ none }}")})
    # What the default comes to cannot be told here.
    assert sealed({"frr_hostname": "r1"})["frr_hostname"] == "r1"


def test_all_values_are_simple() -> None:
    odd = {
        1: datetime.date(2026, 1, 1),
        None: [datetime.datetime(2026, 1, 1, 3, 4, tzinfo=datetime.UTC)],
        "inf": float("inf"),
        "row": (1, 2.5, None, False),
    }
    assert simple(odd) == {"1": "2026-01-01", "None": ["2026-01-01 03:04:00+00:00"], "inf": "inf", "row": [1, 2.5, None, False]}
    assert json.loads(json.dumps(simple(odd), sort_keys=True)) == simple(odd)
    assert Seal(b"key").secret("r1", "\ud800 half a character").startswith("<secret ")
    assert Seal(b"key").secret("r1", {"a": 1, "b": 2}) == Seal(b"key").secret("r1", {"b": 2, "a": 1})
