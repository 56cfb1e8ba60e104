# SPDX-License-Identifier: GPL-2.0-only
# Included by the modules' Kbuild files when they are built outside the kernel's
# tree. The sources are written for the newest kernel; each probe looks into a
# header of the kernel that is built for, and where a change has not come yet it
# defines COMPAT_NAME, for the header beside this file that makes up for it.
# Distributions and stable kernels take changes back, so versions say nothing.

# compat-find HEADER,PATTERN: y when a line of that header has the pattern
compat-find = $(if $(wildcard $(srctree)/include/$(1)),$(shell \
	grep -Eqe '$(2)' $(srctree)/include/$(1) && echo y),$(error \
	the kernel's headers have no $(1)))
# compat-lacks NAME,HEADER,PATTERN: the change adds such a line
compat-lacks = $(if $(call compat-find,$(2),$(3)),,-DCOMPAT_$(1))
# compat-has NAME,HEADER,PATTERN: the change removes such a line
compat-has = $(if $(call compat-find,$(2),$(3)),-DCOMPAT_$(1))

compat-vktls = $(call compat-lacks,NET_DIM,linux/dim.h,net_dim.*const struct dim_sample) \
	$(call compat-lacks,XDP_ADD_FRAG,net/xdp.h,xdp_buff_add_frag) \
	$(call compat-lacks,ACCECN,linux/skbuff.h,SKB_GSO_TCP_ACCECN) \
	$(call compat-lacks,MAC_STORAGE,linux/netdevice.h,dev_set_mac_address.*sockaddr_storage) \
	$(call compat-lacks,FIXEDID_INNER,linux/skbuff.h,SKB_GSO_TCP_FIXEDID_INNER) \
	$(call compat-lacks,HEALTH_PERIOD,net/devlink.h,default_graceful_period) \
	$(call compat-lacks,PARAM_VALUE,net/devlink.h,union devlink_param_value .init_val) \
	$(call compat-lacks,RXFH_FIELDS,linux/ethtool.h,.set_rxfh_fields.) \
	$(call compat-lacks,RX_RING_COUNT,linux/ethtool.h,.get_rx_ring_count.)

compat-tls = $(call compat-has,ADDR_LEN,net/sock.h,int flags. int .addr_len) \
	$(call compat-lacks,NET_ADMIN,net/tcp.h,get_info.*bool net_admin) \
	$(call compat-lacks,CLEAN_ACKED,net/tcp.h,clean_acked_data_enable.struct tcp_sock) \
	$(call compat-lacks,MAX_PAYLOAD_LEN,uapi/linux/tls.h,TLS_INFO_TX_MAX_PAYLOAD_LEN)
