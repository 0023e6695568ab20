# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What stands in a rendered text for something that the plan does not know; a secret's placeholder is another matter, since a module fills it."""

from __future__ import annotations

# For people, in what is handed to the owner of a router that Ansible does not manage.
PRIVATE_KEY = "<your private key>"
PRESHARED_KEY = "<the preshared key>"
TCP_PASSWORD = "<the TCP MD5 password>"


def fingerprint(host: str, interface: str) -> str:
    """Return what stands for the fingerprint of a host's OpenVPN tunnel."""
    return f"<fingerprint of {host} {interface}>"
