/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_RECORD_H
#define _TLS_RECORD_H

#include <linux/string.h>
#include <linux/types.h>
#ifndef __KERNEL__
#include <stdbool.h>
#endif

/* RFC 5246 section 6.2, RFC 8446 section 5. */
#define TLS_REC_HDR_LEN		5
#define TLS_REC_SEQ_LEN		8
#define TLS_REC_NONCE_LEN	12
#define TLS_REC_AAD12_LEN	13
#define TLS_REC_PAYLOAD_MAX	16384U
#define TLS_REC_TAG_LEN		16	/* of every cipher here */
#define TLS_REC_MAX_PREPEND	(TLS_REC_HDR_LEN + 8)

#define TLS_REC_WIRE_VERSION	0x0303	/* both versions put this outside */

enum {
	TLS_REC_ALERT		= 21,
	TLS_REC_HANDSHAKE	= 22,
	TLS_REC_DATA		= 23,
};

#define TLS_HS_KEY_UPDATE	24

/**
 * struct tls_rec_fmt - layout of records of a version and a cipher
 * @is_13:	TLS 1.3: content type inside, no nonce on the wire
 * @xor_nonce:	nonce made of the IV xor the record number
 * @explicit_len: bytes of nonce on the wire, after the header
 * @prepend_len: header and explicit nonce
 * @tag_len:	authentication tag
 * @tail_len:	content type byte in front of the tag
 */
struct tls_rec_fmt {
	bool is_13;
	bool xor_nonce;
	__u8 explicit_len;
	__u8 prepend_len;
	__u8 tag_len;
	__u8 tail_len;
};

/**
 * struct tls_rec_hdr - a parsed record header
 * @type:	outer content type
 * @full_len:	bytes of the whole record; zero when no header was parsed
 * @body_len:	bytes between the prepended part and the tag
 */
struct tls_rec_hdr {
	__u8 type;
	__u32 full_len;
	__u32 body_len;
};

/**
 * struct tls_hs_scan - position in a stream of handshake messages
 * @skip:	bytes left of the message that is being passed over
 * @hdr_len:	bytes collected in @hdr
 * @hdr:	a message header that records may cut
 */
struct tls_hs_scan {
	__u32 skip;
	__u8 hdr_len;
	__u8 hdr[4];
};

void tls_rec_fmt_init(struct tls_rec_fmt *fmt, __u16 version, bool xor_nonce,
		      __u8 explicit_len, __u8 tag_len);
int tls_rec_hdr_parse(struct tls_rec_hdr *rec, const struct tls_rec_fmt *fmt,
		      const __u8 *in);
void tls_rec_nonce(__u8 *nonce, const struct tls_rec_fmt *fmt, const __u8 *iv,
		   const __u8 *seq);
__u32 tls_rec_aad(__u8 *aad, const struct tls_rec_fmt *fmt, __u8 type,
		  __u32 body_len, const __u8 *seq);
void tls_rec_counter_add(__u8 *counter, __u64 n);
__u32 tls_rec_content_end(const __u8 *buf, __u32 len);
bool tls_hs_scan_key_update(struct tls_hs_scan *scan, const __u8 *buf,
			    __u32 len);

/**
 * tls_rec_hdr_build() - write header and explicit nonce
 * @out:	@fmt->prepend_len bytes
 * @fmt:	record format
 * @type:	content type; hidden inside the record by TLS 1.3
 * @len:	bytes of payload, without type byte and tag
 * @explicit_nonce: @fmt->explicit_len bytes
 */
static inline void
tls_rec_hdr_build(__u8 *out, const struct tls_rec_fmt *fmt, __u8 type,
		  __u32 len, const __u8 *explicit_nonce)
{
	__u32 body = fmt->explicit_len + len + fmt->tail_len + fmt->tag_len;

	out[0] = fmt->is_13 ? TLS_REC_DATA : type;
	out[1] = TLS_REC_WIRE_VERSION >> 8;
	out[2] = TLS_REC_WIRE_VERSION & 0xff;
	out[3] = body >> 8;
	out[4] = body & 0xff;
	if (fmt->explicit_len)
		memcpy(out + TLS_REC_HDR_LEN, explicit_nonce, fmt->explicit_len);
}

/**
 * tls_rec_counter_inc() - add one to a big-endian number
 * @counter:	the number
 * @len:	its bytes
 *
 * Return: true when it wrapped to zero; a key must not be used after that.
 */
static inline bool tls_rec_counter_inc(__u8 *counter, __u32 len)
{
	while (len--)
		if (++counter[len])
			return false;
	return true;
}

#endif /* _TLS_RECORD_H */
