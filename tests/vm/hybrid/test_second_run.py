def test_no_secret_in_any_output(network: Network) -> None:
    """Every run above was made with ``--diff -vvv``."""
    secrets = list(yaml.safe_load((INVENTORY / "group_vars" / "all" / "secrets.yml").read_text(encoding="utf-8")).values())
    secrets += [key for host in ("hq-core", "cloud-edge") for key in network.on[host].output("cat /etc/wireguard/*.key").split()]
    assert all(len(secret) > 10 for secret in secrets)
    files = [*LOGS.glob("vm-hybrid-*.log"), *(LOGS / "hybrid-report").iterdir(), *(LOGS / "hybrid-plan").rglob("*.*")]
    assert len(files) > 8
    leaks = [str(path) for path in files for secret in secrets if secret in path.read_text(encoding="utf-8", errors="replace")]
    assert leaks == []
