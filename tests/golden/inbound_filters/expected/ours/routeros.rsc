/interface gre add name=gre8 local-address=203.0.113.13 remote-address=198.51.100.1 mtu=1476 !keepalive comment=hq
/ip address add address=10.254.0.34/30 interface=gre8
/ipv6 address add address=fd00:254::11/127 interface=gre8 advertise=no
/ipv6 address add address=fe80::7867:6e00:0:d/64 interface=gre8 advertise=no
/interface gre add name=gre9 local-address=203.0.113.13 remote-address=198.51.100.4 mtu=1476 !keepalive comment=cloud
/ip address add address=10.254.0.38/30 interface=gre9
/ipv6 address add address=fd00:254::13/127 interface=gre9 advertise=no
/ipv6 address add address=fe80::7867:6e00:0:d/64 interface=gre9 advertise=no
/interface bridge add name=xgn-loopback
/ip address add address=10.255.0.13/32 interface=xgn-loopback
/ipv6 address add address=fd00:255::d/128 interface=xgn-loopback advertise=no
/ip firewall address-list add list=xgn-own address=10.13.0.0/24
/routing filter rule add chain=xgn-in-PUBLISHED rule="if (dst in 10.0.0.0/9 && dst-len in 24-24) { accept }"
/routing filter rule add chain=xgn-in-PUBLISHED rule="if (dst == 1.1.1.1/32) { accept }"
/routing filter rule add chain=xgn-in-PUBLISHED rule="if (dst in 10.4.0.0/24 && dst-len in 24-32) { accept }"
/routing filter rule add chain=xgn-in-PUBLISHED rule="if (dst in 10.1.0.0/28 && dst-len in 28-32) { accept }"
/routing filter rule add chain=xgn-out-PUBLISHED rule="if (dst in 10.0.0.0/9 && dst-len in 24-24) { accept }"
/routing filter rule add chain=xgn-out-PUBLISHED rule="if (dst == 1.1.1.1/32) { accept }"
/routing filter rule add chain=xgn-out-PUBLISHED rule="if (dst in 10.4.0.0/24 && dst-len in 24-32) { accept }"
/routing filter rule add chain=xgn-out-PUBLISHED rule="if (dst in 10.1.0.0/28 && dst-len in 28-32) { accept }"
/routing filter rule add chain=xgn-in-PUBLISHED rule="if (dst in fd00:1::/32 && dst-len in 64-64) { accept }"
/routing filter rule add chain=xgn-out-PUBLISHED rule="if (dst in fd00:1::/32 && dst-len in 64-64) { accept }"
/routing filter rule add chain=xgn-in-PUBLISHED rule="reject"
/routing filter rule add chain=xgn-out-PUBLISHED rule="reject"
/routing bfd configuration add addresses=10.254.0.33 multiplier=3 min-rx=300ms min-tx=300ms
/routing bfd configuration add addresses=10.254.0.37 multiplier=3 min-rx=300ms min-tx=300ms
/routing bfd configuration add addresses=fd00:254::10 multiplier=3 min-rx=300ms min-tx=300ms
/routing bfd configuration add addresses=fd00:254::12 multiplier=3 min-rx=300ms min-tx=300ms
/routing bgp connection add name=xgn-10-254-0-33 comment=hq as=64525 router-id=10.255.0.13 local.role=ebgp address-families=ip remote.address=10.254.0.33 remote.as=64513 input.filter=xgn-in-PUBLISHED output.filter-chain=xgn-out-PUBLISHED output.network=xgn-own input.limit-process-routes-ipv4=2048 use-bfd=yes
/routing bgp connection add name=xgn-10-254-0-37 comment=cloud as=64525 router-id=10.255.0.13 local.role=ebgp address-families=ip remote.address=10.254.0.37 remote.as=64516 input.filter=xgn-in-PUBLISHED output.filter-chain=xgn-out-PUBLISHED output.network=xgn-own input.limit-process-routes-ipv4=2048 use-bfd=yes
/routing bgp connection add name=xgn-fd00-254--10 comment=hq as=64525 router-id=10.255.0.13 local.role=ebgp address-families=ipv6 remote.address=fd00:254::10 remote.as=64513 input.filter=xgn-in-PUBLISHED output.filter-chain=xgn-out-PUBLISHED output.network=xgn-own input.limit-process-routes-ipv6=1024 use-bfd=yes
/routing bgp connection add name=xgn-fd00-254--12 comment=cloud as=64525 router-id=10.255.0.13 local.role=ebgp address-families=ipv6 remote.address=fd00:254::12 remote.as=64516 input.filter=xgn-in-PUBLISHED output.filter-chain=xgn-out-PUBLISHED output.network=xgn-own input.limit-process-routes-ipv6=1024 use-bfd=yes
