/interface bridge add name=xgn-loopback
/ip address add address=10.255.0.2/32 interface=xgn-loopback
/ip route add dst-address=10.255.0.1/32 gateway=10.254.0.5%l2tp1
/routing filter rule add chain=xgn-in rule="reject"
/routing filter rule add chain=xgn-out rule="reject"
/routing bfd configuration add addresses=10.255.0.1 multiplier=3 min-rx=300ms min-tx=300ms
/routing bgp connection add name=xgn-10-255-0-1 comment=hub as=64514 router-id=10.255.0.2 local.role=ebgp address-families=ip local.address=10.255.0.2 multihop=yes remote.address=10.255.0.1 remote.as=64513 input.filter=xgn-in output.filter-chain=xgn-out output.network=xgn-own use-bfd=yes
