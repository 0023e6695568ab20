/interface gre add name=gre3 local-address=203.0.113.10 remote-address=198.51.100.1 mtu=1476 !keepalive comment=hq
/ip address add address=10.254.0.14/30 interface=gre3
/ipv6 address add address=fd00:254::7/127 interface=gre3 advertise=no
/ipv6 address add address=fe80::7867:6e00:0:a/64 interface=gre3 advertise=no
/interface gre add name=gre4 local-address=203.0.113.10 remote-address=198.51.100.4 mtu=1476 !keepalive comment=cloud
/ip address add address=10.254.0.18/30 interface=gre4
/ipv6 address add address=fd00:254::9/127 interface=gre4 advertise=no
/ipv6 address add address=fe80::7867:6e00:0:a/64 interface=gre4 advertise=no
/interface gre add name=gre6 local-address=203.0.113.10 remote-address=203.0.113.11 mtu=1476 !keepalive comment=behind
/ip address add address=10.254.0.25/30 interface=gre6
/ipv6 address add address=fd00:254::c/127 interface=gre6 advertise=no
/ipv6 address add address=fe80::7867:6e00:0:a/64 interface=gre6 advertise=no
# GRE tunnel gre5 to hq is not here: RouterOS has no GRE keys, and this one has 5; leave the key of the link out
# GRE tunnel gre10 to hq is not here: RouterOS has no GRE keys, and this one has 10; leave the key of the link out
/interface bridge add name=xgn-loopback
/ip address add address=10.255.0.10/32 interface=xgn-loopback
/ipv6 address add address=fd00:255::a/128 interface=xgn-loopback advertise=no
/ip firewall address-list add list=xgn-own address=10.10.0.0/24
/ipv6 firewall address-list add list=xgn-own address=fd00:1:10::/64
/ip firewall address-list add list=xgn-own address=10.10.1.0/24
/routing filter rule add chain=xgn-in-PUBLISHED rule="if (dst in 10.0.0.0/9 && dst-len in 24-24) { accept }"
/routing filter rule add chain=xgn-in-PUBLISHED rule="if (dst == 1.1.1.1/32) { accept }"
/routing filter rule add chain=xgn-in-PUBLISHED rule="if (dst in 10.4.0.0/24 && dst-len in 24-32) { accept }"
/routing filter rule add chain=xgn-in-PUBLISHED rule="if (dst in 10.1.0.0/28 && dst-len in 28-32) { accept }"
/routing filter rule add chain=xgn-in-PUBLISHED-50 rule="if (dst in 10.0.0.0/9 && dst-len in 24-24) { accept }"
/routing filter rule add chain=xgn-in-PUBLISHED-50 rule="if (dst == 1.1.1.1/32) { accept }"
/routing filter rule add chain=xgn-in-PUBLISHED-50 rule="if (dst in 10.4.0.0/24 && dst-len in 24-32) { accept }"
/routing filter rule add chain=xgn-in-PUBLISHED-50 rule="if (dst in 10.1.0.0/28 && dst-len in 28-32) { accept }"
/routing filter rule add chain=xgn-in-FROM-gre6 rule="if (dst == 10.11.0.0/24) { accept }"
/routing filter rule add chain=xgn-in-FROM-gre6 rule="if (dst == 10.12.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre3 rule="if (dst == 10.10.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre3 rule="if (dst == 10.11.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre3 rule="if (dst == 10.12.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre4 rule="if (dst == 10.10.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre4 rule="if (dst == 10.11.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre4 rule="if (dst == 10.12.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre5 rule="if (dst == 10.10.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre5 rule="if (dst == 10.11.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre5 rule="if (dst == 10.12.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre6 rule="if (dst == 1.1.1.1/32) { accept }"
/routing filter rule add chain=xgn-out-TO-gre6 rule="if (dst == 10.1.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre6 rule="if (dst == 10.4.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre6 rule="if (dst == 10.10.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre6 rule="if (dst == 10.13.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre6 rule="if (dst == 10.14.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-gre6 rule="if (dst in 10.4.0.0/24 && dst-len in 24-32) { accept }"
/routing filter rule add chain=xgn-out-TO-gre6 rule="if (dst in 10.1.0.0/28 && dst-len in 28-32) { accept }"
/routing filter rule add chain=xgn-out-TO-gre10 rule="if (dst == 10.10.1.0/24) { accept }"
/routing filter rule add chain=xgn-in-PUBLISHED rule="if (dst in fd00:1::/32 && dst-len in 64-64) { accept }"
/routing filter rule add chain=xgn-in-PUBLISHED-50 rule="if (dst in fd00:1::/32 && dst-len in 64-64) { accept }"
/routing filter rule add chain=xgn-out-TO-gre3 rule="if (dst == fd00:1:10::/64) { accept }"
/routing filter rule add chain=xgn-out-TO-gre4 rule="if (dst == fd00:1:10::/64) { accept }"
/routing filter rule add chain=xgn-out-TO-gre5 rule="if (dst == fd00:1:10::/64) { accept }"
/routing filter rule add chain=xgn-out-TO-gre6 rule="if (dst == fd00:1:4::/64) { accept }"
/routing filter rule add chain=xgn-out-TO-gre6 rule="if (dst == fd00:1:10::/64) { accept }"
/routing filter rule add chain=xgn-in-PUBLISHED rule="reject"
/routing filter rule add chain=xgn-in-PUBLISHED-50 rule="reject"
/routing filter rule add chain=xgn-in-FROM-gre6 rule="reject"
/routing filter rule add chain=xgn-out-TO-gre3 rule="reject"
/routing filter rule add chain=xgn-out-TO-gre4 rule="reject"
/routing filter rule add chain=xgn-out-TO-gre5 rule="reject"
/routing filter rule add chain=xgn-out-TO-gre6 rule="reject"
/routing filter rule add chain=xgn-out-TO-gre10 rule="reject"
/routing bfd configuration add addresses=10.254.0.13 multiplier=3 min-rx=300ms min-tx=300ms
/routing bfd configuration add addresses=10.254.0.17 multiplier=3 min-rx=300ms min-tx=300ms
/routing bfd configuration add addresses=10.254.0.21 multiplier=3 min-rx=300ms min-tx=300ms
/routing bfd configuration add addresses=10.254.0.26 multiplier=3 min-rx=300ms min-tx=300ms
/routing bfd configuration add addresses=fd00:254::6 multiplier=3 min-rx=300ms min-tx=300ms
/routing bfd configuration add addresses=fd00:254::8 multiplier=3 min-rx=300ms min-tx=300ms
/routing bfd configuration add addresses=fd00:254::a multiplier=3 min-rx=300ms min-tx=300ms
/routing bfd configuration add addresses=fd00:254::d multiplier=3 min-rx=300ms min-tx=300ms
/routing bfd configuration add addresses=10.254.0.41 multiplier=3 min-rx=300ms min-tx=300ms
/routing bfd configuration add addresses=fd00:254::14 multiplier=3 min-rx=300ms min-tx=300ms
/routing bgp connection add name=xgn-10-254-0-13 comment=hq as=64522 router-id=10.255.0.10 local.role=ebgp address-families=ip remote.address=10.254.0.13 remote.as=64513 input.filter=xgn-in-PUBLISHED output.filter-chain=xgn-out-TO-gre3 output.network=xgn-own input.limit-process-routes-ipv4=2048 use-bfd=yes
/routing bgp connection add name=xgn-10-254-0-17 comment=cloud as=64522 router-id=10.255.0.10 local.role=ebgp address-families=ip remote.address=10.254.0.17 remote.as=64516 input.filter=xgn-in-PUBLISHED output.filter-chain=xgn-out-TO-gre4 output.network=xgn-own input.limit-process-routes-ipv4=2048 use-bfd=yes
/routing bgp connection add name=xgn-10-254-0-21 comment=hq as=64522 router-id=10.255.0.10 local.role=ebgp address-families=ip remote.address=10.254.0.21 remote.as=64513 input.filter=xgn-in-PUBLISHED-50 output.filter-chain=xgn-out-TO-gre5 output.network=xgn-own input.limit-process-routes-ipv4=2048 use-bfd=yes
/routing bgp connection add name=xgn-10-254-0-26 comment=behind as=64522 router-id=10.255.0.10 local.role=ebgp address-families=ip remote.address=10.254.0.26 remote.as=64523 input.filter=xgn-in-FROM-gre6 output.filter-chain=xgn-out-TO-gre6 output.network=xgn-own input.limit-process-routes-ipv4=16 use-bfd=yes
/routing bgp connection add name=xgn-fd00-254--6 comment=hq as=64522 router-id=10.255.0.10 local.role=ebgp address-families=ipv6 remote.address=fd00:254::6 remote.as=64513 input.filter=xgn-in-PUBLISHED output.filter-chain=xgn-out-TO-gre3 output.network=xgn-own input.limit-process-routes-ipv6=1024 use-bfd=yes
/routing bgp connection add name=xgn-fd00-254--8 comment=cloud as=64522 router-id=10.255.0.10 local.role=ebgp address-families=ipv6 remote.address=fd00:254::8 remote.as=64516 input.filter=xgn-in-PUBLISHED output.filter-chain=xgn-out-TO-gre4 output.network=xgn-own input.limit-process-routes-ipv6=1024 use-bfd=yes
/routing bgp connection add name=xgn-fd00-254--a comment=hq as=64522 router-id=10.255.0.10 local.role=ebgp address-families=ipv6 remote.address=fd00:254::a remote.as=64513 input.filter=xgn-in-PUBLISHED-50 output.filter-chain=xgn-out-TO-gre5 output.network=xgn-own input.limit-process-routes-ipv6=1024 use-bfd=yes
/routing bgp connection add name=xgn-fd00-254--d comment=behind as=64522 router-id=10.255.0.10 local.role=ebgp address-families=ipv6 remote.address=fd00:254::d remote.as=64523 input.filter=xgn-in-FROM-gre6 output.filter-chain=xgn-out-TO-gre6 output.network=xgn-own input.limit-process-routes-ipv6=16 use-bfd=yes
/routing bgp connection add name=xgn-10-254-0-41 comment=hq as=64522 router-id=10.255.0.10 local.role=ebgp address-families=ip remote.address=10.254.0.41 remote.as=64513 input.filter=xgn-in-PUBLISHED output.filter-chain=xgn-out-TO-gre10 output.network=xgn-own input.limit-process-routes-ipv4=2048 use-bfd=yes
/routing bgp connection add name=xgn-fd00-254--14 comment=hq as=64522 router-id=10.255.0.10 local.role=ebgp address-families=ipv6 remote.address=fd00:254::14 remote.as=64513 input.filter=xgn-in-PUBLISHED output.filter-chain=xgn-out-TO-gre10 output.network=xgn-own input.limit-process-routes-ipv6=1024 use-bfd=yes
