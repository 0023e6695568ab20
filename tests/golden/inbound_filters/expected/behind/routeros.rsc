/interface gre add name=gre6 local-address=203.0.113.11 remote-address=203.0.113.10 mtu=1476 !keepalive comment=partner
/ip address add address=10.254.0.26/30 interface=gre6
/ipv6 address add address=fd00:254::d/127 interface=gre6 advertise=no
/ipv6 address add address=fe80::7867:6e00:0:b/64 interface=gre6 advertise=no
/interface gre add name=gre7 local-address=203.0.113.11 remote-address=203.0.113.12 mtu=1476 !keepalive comment=branch
/ip address add address=10.254.0.29/30 interface=gre7
/ipv6 address add address=fd00:254::e/127 interface=gre7 advertise=no
/ipv6 address add address=fe80::7867:6e00:0:b/64 interface=gre7 advertise=no
/interface bridge add name=xgn-loopback
/ip address add address=10.255.0.11/32 interface=xgn-loopback
/ipv6 address add address=fd00:255::b/128 interface=xgn-loopback advertise=no
/ip route add dst-address=10.255.0.12/32 gateway=10.254.0.30%gre7
/ipv6 route add dst-address=fd00:255::c/128 gateway=fd00:254::f%gre7
/ip firewall address-list add list=xgn-own address=10.11.0.0/24
/routing filter rule add chain=xgn-in-FROM-gre6 rule="if (dst == 1.1.1.1/32) { accept }"
/routing filter rule add chain=xgn-in-FROM-gre6 rule="if (dst == 10.1.0.0/24) { accept }"
/routing filter rule add chain=xgn-in-FROM-gre6 rule="if (dst == 10.4.0.0/24) { accept }"
/routing filter rule add chain=xgn-in-FROM-gre6 rule="if (dst == 10.10.0.0/24) { accept }"
/routing filter rule add chain=xgn-in-FROM-gre6 rule="if (dst == 10.13.0.0/24) { accept }"
/routing filter rule add chain=xgn-in-FROM-gre6 rule="if (dst == 10.14.0.0/24) { accept }"
/routing filter rule add chain=xgn-in-FROM-gre6 rule="if (dst in 10.4.0.0/24 && dst-len in 24-32) { accept }"
/routing filter rule add chain=xgn-in-FROM-gre6 rule="if (dst in 10.1.0.0/28 && dst-len in 28-32) { accept }"
/routing filter rule add chain=xgn-in-FROM-gre7 rule="if (dst in 10.0.0.0/9 && dst-len in 24-24) { accept }"
/routing filter rule add chain=xgn-in-FROM-gre7 rule="if (dst == 1.1.1.1/32) { accept }"
/routing filter rule add chain=xgn-in-FROM-gre7 rule="if (dst in 10.4.0.0/24 && dst-len in 24-32) { accept }"
/routing filter rule add chain=xgn-in-FROM-gre7 rule="if (dst in 10.1.0.0/28 && dst-len in 28-32) { accept }"
/routing filter rule add chain=xgn-out-TO-gre6 rule="if (dst == 10.11.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre6 rule="if (dst == 10.12.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre7 rule="if (dst == 1.1.1.1/32) { accept }"
/routing filter rule add chain=xgn-out-TO-gre7 rule="if (dst == 10.1.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre7 rule="if (dst == 10.4.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre7 rule="if (dst == 10.10.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre7 rule="if (dst == 10.11.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre7 rule="if (dst == 10.13.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre7 rule="if (dst == 10.14.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre7 rule="if (dst in 10.4.0.0/24 && dst-len in 24-32) { accept }"
/routing filter rule add chain=xgn-out-TO-gre7 rule="if (dst in 10.1.0.0/28 && dst-len in 28-32) { accept }"
/routing filter rule add chain=xgn-in-FROM-gre6 rule="if (dst == fd00:1:4::/64) { accept }"
/routing filter rule add chain=xgn-in-FROM-gre6 rule="if (dst == fd00:1:10::/64) { accept }"
/routing filter rule add chain=xgn-in-FROM-gre7 rule="if (dst in fd00:1::/32 && dst-len in 64-64) { accept }"
/routing filter rule add chain=xgn-out-TO-gre7 rule="if (dst == fd00:1:4::/64) { accept }"
/routing filter rule add chain=xgn-out-TO-gre7 rule="if (dst == fd00:1:10::/64) { accept }"
/routing filter rule add chain=xgn-in-FROM-gre6 rule="reject"
/routing filter rule add chain=xgn-in-FROM-gre7 rule="reject"
/routing filter rule add chain=xgn-out-TO-gre6 rule="reject"
/routing filter rule add chain=xgn-out-TO-gre7 rule="reject"
/routing bfd configuration add addresses=10.254.0.25 multiplier=3 min-rx=300ms min-tx=300ms
/routing bfd configuration add addresses=10.255.0.12 multiplier=3 min-rx=300ms min-tx=300ms
/routing bfd configuration add addresses=fd00:254::c multiplier=3 min-rx=300ms min-tx=300ms
/routing bfd configuration add addresses=fd00:255::c multiplier=3 min-rx=300ms min-tx=300ms
/routing bgp connection add name=xgn-10-254-0-25 comment=partner as=64523 router-id=10.255.0.11 local.role=ebgp address-families=ip remote.address=10.254.0.25 remote.as=64522 input.filter=xgn-in-FROM-gre6 output.filter-chain=xgn-out-TO-gre6 output.network=xgn-own input.limit-process-routes-ipv4=2048 use-bfd=yes
/routing bgp connection add name=xgn-10-255-0-12 comment=branch as=64523 router-id=10.255.0.11 local.role=ebgp address-families=ip local.address=10.255.0.11 multihop=yes remote.address=10.255.0.12 remote.as=64524 input.filter=xgn-in-FROM-gre7 output.filter-chain=xgn-out-TO-gre7 output.network=xgn-own input.limit-process-routes-ipv4=2048 use-bfd=yes
/routing bgp connection add name=xgn-fd00-254--c comment=partner as=64523 router-id=10.255.0.11 local.role=ebgp address-families=ipv6 remote.address=fd00:254::c remote.as=64522 input.filter=xgn-in-FROM-gre6 output.filter-chain=xgn-out-TO-gre6 output.network=xgn-own input.limit-process-routes-ipv6=16 use-bfd=yes
/routing bgp connection add name=xgn-fd00-255--c comment=branch as=64523 router-id=10.255.0.11 local.role=ebgp address-families=ipv6 local.address=fd00:255::b multihop=yes remote.address=fd00:255::c remote.as=64524 input.filter=xgn-in-FROM-gre7 output.filter-chain=xgn-out-TO-gre7 output.network=xgn-own input.limit-process-routes-ipv6=1024 use-bfd=yes
