// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target for the joining of frames. Each input is a stream of one connection:
 * lengths, flags, order and single bytes of the frames come from the input. A joined packet
 * must be cut into the same frames again.
 */
#include "../gro_rig.h"

#define STEP	8	/* bytes of input for one frame */

static struct gro_rig rig;

/*
 * Make one frame. Input: length (2 bytes), flags, step of the identification, step of the
 * sequence number, place of a changed byte (2 bytes), its change.
 */
static void step(struct gro_make *m, const uint8_t *in)
{
	uint8_t frame[GRO_FRAME_MAX];
	size_t len;

	if (in[0] | in[1])
		m->payload = (in[0] | in[1] << 8) % 1600;
	m->flags = 0x10 | (in[2] & 8) | (in[2] & 4 ? 0x80 : 0);
	m->version = in[2] & 0x80 ? 6 : 4;
	m->options = (in[2] >> 4 & 3) * 12;
	m->ext = (in[2] & 0xc0) == 0xc0 ? 60 : 0;
	m->outer = in[2] & 1 ? 4 + (in[2] & 2) : 0;
	len = gro_make(frame, m);
	frame[(in[5] | in[6] << 8) % len] ^= in[7];
	gro_sum(frame, len);
	gro_frame(&rig, frame, len);
	m->id += 1 + (int8_t)in[3];
	m->outer_id += in[2] & 2 ? 0 : 1;
	m->seq += m->payload + (int8_t)in[4];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gro_make m = { .version = 4, .payload = 1448 };

	rig.gro.segs = 0;
	rig.modes = size && data[0] & 1 ? 0 : VKTLS_PORT_RX_GRO_IP | VKTLS_PORT_RX_GRO_CWR;
	for (; size >= STEP; data += STEP, size -= STEP)
		step(&m, data);
	gro_end(&rig);
	return 0;
}
