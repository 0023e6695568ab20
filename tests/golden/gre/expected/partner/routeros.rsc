/interface gre6 add name=gre9 local-address=2001:db8:3::3 remote-address=2001:db8:1::1 mtu=1456 !keepalive comment=a
/ip address add address=10.254.0.38/30 interface=gre9
/ipv6 address add address=fd00:254::13/127 interface=gre9 advertise=no
/ipv6 address add address=fe80::7867:6e00:0:3/64 interface=gre9 advertise=no
# GRE tunnel gre8 to a is not here: RouterOS has no GRE keys, and this one has 8; leave the key of the link out
/interface bridge add name=xgn-loopback
/ip address add address=10.255.0.3/32 interface=xgn-loopback
/ipv6 address add address=fd00:255::3/128 interface=xgn-loopback advertise=no
/routing filter rule add chain=xgn-in-PUBLISHED rule="if (dst == 10.1.0.0/24) { accept }"
/routing filter rule add chain=xgn-in-PUBLISHED-50 rule="if (dst == 10.1.0.0/24) { accept }"
/routing filter rule add chain=xgn-in-PUBLISHED rule="reject"
/routing filter rule add chain=xgn-in-PUBLISHED-50 rule="reject"
/routing filter rule add chain=xgn-out-TO-gre8 rule="reject"
/routing filter rule add chain=xgn-out-TO-gre9 rule="reject"
/routing bfd configuration add addresses=10.254.0.33 multiplier=3 min-rx=300ms min-tx=300ms
/routing bfd configuration add addresses=10.254.0.37 multiplier=3 min-rx=300ms min-tx=300ms
/routing bfd configuration add addresses=fd00:254::10 multiplier=3 min-rx=300ms min-tx=300ms
/routing bfd configuration add addresses=fd00:254::12 multiplier=3 min-rx=300ms min-tx=300ms
/routing bgp connection add name=xgn-10-254-0-33 comment=a as=64515 router-id=10.255.0.3 local.role=ebgp address-families=ip remote.address=10.254.0.33 remote.as=64513 input.filter=xgn-in-PUBLISHED output.filter-chain=xgn-out-TO-gre8 output.network=xgn-own input.limit-process-routes-ipv4=1024 use-bfd=yes
/routing bgp connection add name=xgn-10-254-0-37 comment=a as=64515 router-id=10.255.0.3 local.role=ebgp address-families=ip remote.address=10.254.0.37 remote.as=64513 input.filter=xgn-in-PUBLISHED-50 output.filter-chain=xgn-out-TO-gre9 output.network=xgn-own input.limit-process-routes-ipv4=1024 use-bfd=yes
/routing bgp connection add name=xgn-fd00-254--10 comment=a as=64515 router-id=10.255.0.3 local.role=ebgp address-families=ipv6 remote.address=fd00:254::10 remote.as=64513 input.filter=xgn-in-PUBLISHED output.filter-chain=xgn-out-TO-gre8 output.network=xgn-own input.limit-process-routes-ipv6=1024 use-bfd=yes
/routing bgp connection add name=xgn-fd00-254--12 comment=a as=64515 router-id=10.255.0.3 local.role=ebgp address-families=ipv6 remote.address=fd00:254::12 remote.as=64513 input.filter=xgn-in-PUBLISHED-50 output.filter-chain=xgn-out-TO-gre9 output.network=xgn-own input.limit-process-routes-ipv6=1024 use-bfd=yes
