// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads operations from a byte string, applies them to a context and to the
 * model, and stops at the first difference.
 */
#include <string.h>

#include "engine_drive.h"

static unsigned int drive_byte(struct drive *d)
{
	if (!d->left)
		return 0;
	d->left--;
	return *d->data++;
}

static void drive_expect(struct drive *d, bool ok, const char *what)
{
	if (!ok && !d->bad)
		d->bad = what;
}

static bool drive_start(struct drive *d)
{
	static const uint64_t firsts[] = { 0, 7, UINT64_MAX - 3, 1ull << 63 };
	const struct suite *s = &suites[drive_byte(d) % suites_num];
	VkdevTlsParams p = {
		.version = s->version, .cipher = s->cipher, .direction = VKTLS_DIR_TX,
	};

	p.rec_no = firsts[drive_byte(d) % 4];
	p.tcp_seq = drive_byte(d) * 0x01010101u;
	memset(p.iv, drive_byte(d), sizeof(p.iv));
	memset(p.key, drive_byte(d), vkdev_aead_key_len(s->alg));
	model_init(&d->m, s, &p);
	d->host = d->m.at;
	return vkdev_tls_add(engine(), &p, &d->ctx) == VKTLS_ST_OK;
}

/*
 * Return the next byte of the host's stream: a header that the host writes, or
 * any payload.
 */
static uint8_t drive_host_byte(struct drive *d)
{
	const struct suite *s = d->m.s;
	unsigned int len, i = d->host.have;
	uint8_t byte = 0x40 + i;

	if (!i) {
		len = s->payload_min + (drive_byte(d) * 3u) % 500 + s->nonce_len + TAG_LEN;
		d->host.head[0] = s->type_max;
		d->host.head[1] = 3;
		d->host.head[2] = 3;
		d->host.head[3] = len >> 8;
		d->host.head[4] = len & 0xff;
		put64(d->host.head + 5, d->host.rec_no + d->m.nonce_base);
	}
	if (i < 5u + s->nonce_len)
		byte = d->host.head[i];
	place_eat(&d->m, &d->host, byte);
	return byte;
}

/*
 * The bytes that the engine sent so far must be the beginning of the sealed
 * record.
 */
static void drive_check_record(struct drive *d, const struct place *at, unsigned int have,
			       unsigned int total)
{
	if (have <= 5u + d->m.s->nonce_len)
		return;
	memset(d->m.in + have, 0, total - have);
	drive_expect(d, model_seal_key(&d->m, at->key, at->rec_no, d->m.in, total, d->want) &&
		     !memcmp(d->m.out, d->want, have), "wire bytes are not the sealed record");
}

static void drive_remember(struct drive *d, const struct place *at, unsigned int total)
{
	d->last = *at;
	d->last.seq = d->m.at.seq - total;
	d->last_len = total;
	d->kept = false;
	memcpy(d->last_in, d->m.in, total);
	memcpy(d->last_out, d->m.out, total);
}

/*
 * Replay the last whole record. If a byte is damaged, the engine must refuse.
 */
static void drive_replay(struct drive *d)
{
	unsigned int at = drive_byte(d) % d->last_len, bit = drive_byte(d) % 16;
	bool damage = bit < 8 && at >= 5u + d->m.s->nonce_len &&
		      at + TAG_LEN < d->last_len;
	VkdevTlsCount count;
	unsigned int st;

	memcpy(d->sent, d->last_in, d->last_len);
	if (damage)
		d->sent[at] ^= 1 << bit;
	st = vkdev_tls_replay(d->ctx, d->last.seq, d->last.rec_no, d->sent, d->last_len, &count);
	drive_expect(d, st == (damage ? VKTLS_ST_TLS_REUSE : VKTLS_ST_OK), "replay status");
	drive_expect(d, damage || !memcmp(d->sent, d->last_out, d->last_len), "replay");
	d->kept |= !damage;
}

/*
 * Resend a part of the last record from the cache, which is possible only
 * after a replay.
 */
static void drive_resend(struct drive *d)
{
	unsigned int from = drive_byte(d) % d->last_len;
	unsigned int len = drive_byte(d) % (d->last_len - from + 1);
	unsigned int after = d->last_len - from - len;
	bool got = vkdev_tls_resend(d->ctx, d->last.seq, d->last.rec_no, from, d->sent, len,
				    after);

	drive_expect(d, got == d->kept, "resend");
	drive_expect(d, !got || !memcmp(d->sent, d->last_out + from, len), "resent bytes");
	drive_expect(d, !vkdev_tls_resend(d->ctx, d->last.seq, d->last.rec_no + 1, from, d->sent,
					  len, after), "resend of what is to come");
}

static void drive_follow(struct drive *d, size_t len)
{
	struct model *m = &d->m;
	struct place before;

	for (size_t i = 0; i < len; i++) {
		before = m->at;
		m->in[before.have] = d->packet[i];
		m->out[before.have] = d->sent[i];
		place_eat(m, &m->at, d->packet[i]);
		if (m->at.key != before.key) {
			before = (struct place) { .key = m->at.key };
			m->floor = 0;
			m->floor_gone = false;
		}
		if (before.have + 1 == 5u + m->s->nonce_len) {
			m->floor = before.rec_no + 1;
			m->floor_gone = !m->floor;
		}
		if (!m->at.have) {
			drive_check_record(d, &before, before.total, before.total);
			drive_remember(d, &before, before.total);
		}
	}
	m->seq += len;
}

static void drive_tx(struct drive *d, size_t len, uint32_t seq)
{
	unsigned int want = model_predict(&d->m, seq, d->packet, len);
	VkdevTlsCount count;
	unsigned int st;

	memcpy(d->sent, d->packet, len);
	st = vkdev_tls_tx(d->ctx, seq, d->sent, len, &count);
	drive_expect(d, st == want, "status is not the model's");
	drive_expect(d, count.packets == (want == VKTLS_ST_OK) &&
		     count.bytes == (want == VKTLS_ST_OK ? len : 0), "counts");
	if (want == VKTLS_ST_OK) {
		drive_follow(d, len);
		return;
	}
	drive_expect(d, !memcmp(d->sent, d->packet, len), "a refused payload was touched");
	if (want != VKTLS_ST_TLS_SEQ)
		d->m.lost = true;
}

/*
 * The status of a resync to record @rec_no of the key @key, at @seq.
 */
static unsigned int drive_resync_status(const struct model *m, uint32_t seq, uint64_t rec_no,
					unsigned int key)
{
	if (key < m->at.key || key >= m->keys_num ||
	    (key > m->at.key && (int32_t)(m->keys[key].seq - seq) > 0) ||
	    (key + 1 < m->keys_num && (int32_t)(m->keys[key + 1].seq - seq) < 0))
		return VKTLS_ST_TLS_KEY;
	if (key > m->at.key)
		return VKTLS_ST_OK;
	if (m->floor_gone)
		return VKTLS_ST_TLS_WRAP;
	return rec_no < m->floor ? VKTLS_ST_TLS_REUSE : VKTLS_ST_OK;
}

static void drive_move(struct drive *d, uint32_t seq, uint64_t rec_no, unsigned int key)
{
	struct model *m = &d->m;

	drive_check_record(d, &m->at, m->at.have, m->at.total);
	if (key != m->at.key) {
		m->floor = 0;
		m->floor_gone = false;
	}
	m->at = (struct place) { .rec_no = rec_no, .seq = seq, .key = key };
	m->seq = seq;
	m->lost = false;
	d->host = m->at;
}

static void drive_resync(struct drive *d)
{
	struct model *m = &d->m;
	uint64_t rec_no = m->floor + (int8_t)drive_byte(d) / 16;
	uint32_t seq = m->seq + drive_byte(d);
	unsigned int key = m->at.key, ask = drive_byte(d);
	unsigned int want;

	if (ask & 1)
		key += ask / 2 % 4 - 1;
	want = drive_resync_status(m, seq, rec_no, key);
	drive_expect(d, (ask & 1 ? vkdev_tls_resync_key(d->ctx, seq, rec_no, key) :
				   vkdev_tls_resync(d->ctx, seq, rec_no)) == want,
		     "resync status");
	if (want == VKTLS_ST_OK)
		drive_move(d, seq, rec_no, key);
}

static unsigned int drive_key_status(const struct drive *d, uint32_t seq)
{
	const struct model *m = &d->m;

	if (m->s->version != VKTLS_VERSION_TLS13)
		return VKTLS_ST_UNSUPPORTED;
	if ((int32_t)(seq - m->seq) < 0 ||
	    (m->at.key + 1 < m->keys_num && (int32_t)(seq - m->keys[m->keys_num - 1].seq) < 0))
		return VKTLS_ST_TLS_SEQ;
	return m->keys_num - d->oldest == VKTLS_TLS_TX_KEYS ? VKTLS_ST_FULL : VKTLS_ST_OK;
}

/* A new key, mostly from the end of the record in progress on. */
static void drive_key(struct drive *d)
{
	struct model *m = &d->m;
	struct model_key *k = &m->keys[m->keys_num];
	unsigned int where = drive_byte(d), want;

	if (m->keys_num == MODEL_KEYS)
		return;
	k->seq = m->seq + (m->at.have >= 5 ? m->at.total - m->at.have : 0);
	if (where & 1)
		k->seq += (int8_t)where;
	memset(k->iv, drive_byte(d), sizeof(k->iv));
	memset(k->key, 0, sizeof(k->key));
	memset(k->key, drive_byte(d), vkdev_aead_key_len(m->s->alg));
	k->key[0] = m->keys_num; /* no two keys are equal */
	k->key[1] = ~m->keys_num;
	want = drive_key_status(d, k->seq);
	drive_expect(d, vkdev_tls_next_tx(d->ctx, m->keys_num, k->iv, k->key, k->seq) == want,
		     "next key status");
	m->keys_num += want == VKTLS_ST_OK;
}

/*
 * The host gives up keys; if the one in use is among them, the context is lost, unless it
 * is where the first key that is left begins.
 */
static void drive_done(struct drive *d)
{
	struct model *m = &d->m;
	unsigned int key = d->oldest + drive_byte(d) % 4 - 1;
	bool there = key >= d->oldest && key < m->keys_num, lost;

	drive_expect(d, vkdev_tls_key_done(d->ctx, key) ==
		     (there ? VKTLS_ST_OK : VKTLS_ST_TLS_KEY), "key done status");
	if (!there)
		return;
	d->oldest = key;
	if (key > m->at.key) {
		lost = m->lost || m->at.have || m->keys[key].seq != m->seq;
		drive_move(d, m->seq, 0, key);
		m->lost = lost;
	}
}

static void drive_op(struct drive *d)
{
	unsigned int op = drive_byte(d);
	size_t len = 1 + (drive_byte(d) * 5u) % DRIVE_PACKET;
	VkdevTlsState q;

	if (op % 8 == 7) {
		drive_resync(d);
		return;
	}
	if (op % 8 == 3 && op & 8) {
		if (op & 16)
			drive_done(d);
		else
			drive_key(d);
		return;
	}
	if (op % 8 == 4 && d->last_len && d->last.key >= d->oldest) {
		if (op & 8)
			drive_replay(d);
		else
			drive_resend(d);
		return;
	}
	d->host = d->m.at;
	for (size_t i = 0; i < len; i++)
		d->packet[i] = drive_host_byte(d);
	if (op % 8 == 6)
		d->packet[drive_byte(d) % len] ^= 1 << op / 32;
	drive_tx(d, len, d->m.seq + (op % 8 == 5 ? drive_byte(d) : 0));
	vkdev_tls_query(d->ctx, &q);
	drive_expect(d, q.state == (d->m.lost ? VKTLS_TLS_LOST : VKTLS_TLS_IN_SYNC) &&
		     q.tcp_seq == d->m.seq && q.rec_no == d->m.at.rec_no &&
		     q.rec_pos == d->m.at.have, "query");
}

const char *drive_run(struct drive *d, const uint8_t *data, size_t len)
{
	d->data = data;
	d->left = len;
	d->bad = NULL;
	d->last_len = 0;
	d->oldest = 0;
	if (!drive_start(d))
		return "context refused";
	while (d->left && !d->bad)
		drive_op(d);
	if (!d->bad)
		drive_check_record(d, &d->m.at, d->m.at.have, d->m.at.total);
	vkdev_tls_del(d->ctx);
	return d->bad;
}
