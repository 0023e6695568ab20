"""What a zone has to answer is read from its records as their owner wrote them."""

from __future__ import annotations

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.zone_records import wanted_answers

SOA: tuple[str, str, list[str]] = ("example.test", "SOA", [])


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        ("www A 192.0.2.80", ("www.example.test", "A", ["192.0.2.80"])),
        ("WWW 300 IN a 192.0.2.80 ; a remark", ("www.example.test", "A", ["192.0.2.80"])),
        ("www IN 1h30m A 192.0.2.80", ("www.example.test", "A", ["192.0.2.80"])),
        ("@ AAAA 2001:DB8:0::1", ("example.test", "AAAA", ["2001:db8::1"])),
        ("m AAAA ::ffff:192.0.2.1", ("m.example.test", "AAAA", ["::ffff:192.0.2.1"])),
        ("www.example.test. CNAME Web.Example.Net.", ("www.example.test", "CNAME", ["web.example.net"])),
        ("@ MX 010 mail", ("example.test", "MX", ["10 mail.example.test"])),
        ("_dns._udp SRV ( 1 2 53 ns )", ("_dns._udp.example.test", "SRV", ["1 2 53 ns.example.test"])),
        ('t TXT "v=1; a" b', ("t.example.test", "TXT", ['"v=1; a" "b"'])),
        ('t TXT ""', ("t.example.test", "TXT", ['""'])),
        (r't TXT "a\"b"', ("t.example.test", "TXT", [])),
        ("www A not-an-address", ("www.example.test", "A", [])),
        ("@ MX mail", ("example.test", "MX", ["mail.example.test"])),
        ("@ MX ten mail", ("example.test", "MX", [])),
        ("* A 192.0.2.1", ("*.example.test", "A", ["192.0.2.1"])),
    ],
)
def test_a_record(record: str, wanted: tuple[str, str, list[str]]) -> None:
    assert wanted_answers("Example.test", [record]) == [SOA, wanted]


def test_several_of_one_name_and_type_are_one_question() -> None:
    assert wanted_answers("example.test", ["a A 192.0.2.2", "a A 192.0.2.1", "a TXT b", r"a TXT \"c"]) == [
        SOA,
        ("a.example.test", "A", ["192.0.2.1", "192.0.2.2"]),
        ("a.example.test", "TXT", []),
    ]


def test_what_others_answer_and_what_is_not_known_is_left_out() -> None:
    records = [
        "@ SOA ns h 1 2 3 4 5",
        "sub NS ns.sub",
        "ns.sub A 192.0.2.1",
        "notsub A 192.0.2.1",
        r"a\.b A 192.0.2.1",
        "k CAA 0 issue x",
        "k",
        "; nothing",
    ]
    assert wanted_answers("example.test", records) == [SOA, ("notsub.example.test", "A", ["192.0.2.1"])]
