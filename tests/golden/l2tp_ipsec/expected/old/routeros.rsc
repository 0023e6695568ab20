# L2TP/IPsec l2tp1 is yours to configure: see README.md
/interface bridge add name=xgn-loopback
/ip address add address=10.255.0.2/32 interface=xgn-loopback
/routing filter rule add chain=xgn-in-PUBLISHED rule="reject"
/routing filter rule add chain=xgn-out-TO-l2tp1 rule="reject"
/routing bfd configuration add addresses=10.254.0.5 multiplier=3 min-rx=300ms min-tx=300ms
/routing bgp connection add name=xgn-10-254-0-5 comment=hub as=64514 router-id=10.255.0.2 local.role=ebgp address-families=ip remote.address=10.254.0.5 remote.as=64513 input.filter=xgn-in-PUBLISHED output.filter-chain=xgn-out-TO-l2tp1 output.network=xgn-own input.limit-process-routes-ipv4=1024 use-bfd=yes
