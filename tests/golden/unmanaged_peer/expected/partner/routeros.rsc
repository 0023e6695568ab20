/interface wireguard add name=wg1 mtu=1420 private-key="<your private key>"
/interface wireguard peers add interface=wg1 comment=ours public-key="<public key of ours wg1>" allowed-address=0.0.0.0/0 endpoint-address=198.51.100.1 endpoint-port=51822 persistent-keepalive=5s
/ip address add address=10.254.0.6/30 interface=wg1
/interface bridge add name=xgn-loopback
/ip address add address=172.20.0.1/32 interface=xgn-loopback
/ip firewall address-list add list=xgn-own address=10.2.0.0/24
/routing filter rule add chain=xgn-in-PUBLISHED rule="if (dst == 10.1.0.0/24) { accept }"
/routing filter rule add chain=xgn-in-PUBLISHED rule="if (dst == 10.2.0.0/24) { accept }"
/routing filter rule add chain=xgn-out-TO-wg1 rule="if (dst == 10.2.0.0/24) { accept }"
/routing filter rule add chain=xgn-in-PUBLISHED rule="reject"
/routing filter rule add chain=xgn-out-TO-wg1 rule="reject"
/routing bfd configuration add addresses=10.254.0.5 multiplier=3 min-rx=300ms min-tx=300ms
/routing bgp connection add name=xgn-10-254-0-5 comment=ours as=65010 router-id=172.20.0.1 local.role=ebgp address-families=ip remote.address=10.254.0.5 remote.as=65001 input.filter=xgn-in-PUBLISHED output.filter-chain=xgn-out-TO-wg1 output.network=xgn-own input.limit-process-routes-ipv4=1024 tcp-md5-key="<the TCP MD5 password>" use-bfd=yes
