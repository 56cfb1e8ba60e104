// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * The firmware's log: a circular text buffer that the host reads by position. Each
 * character also goes to the device's trace. Callers pass constant text and numbers
 * that are no secret.
 */
#include "fw.h"

#define LOG_BYTES	8192	/* a power of two, so that positions may wrap at 2^32 */

static char log_buf[LOG_BYTES];
static u32 log_head;		/* bytes ever logged, modulo 2^32 */

static void log_char(char c)
{
	log_buf[log_head++ % LOG_BYTES] = c;
	io_write(SOC_SYS + SYS_PUTC, (u8)c);
}

static void log_text(const char *s)
{
	while (*s)
		log_char(*s++);
}

static void log_hex(u32 value)
{
	int shift = 28;

	while (shift && !(value >> shift))
		shift -= 4;
	log_text("0x");
	for (; shift >= 0; shift -= 4)
		log_char("0123456789abcdef"[value >> shift & 15]);
}

/* Log a decimal number, padded with blanks to 7 places. */
static void log_decimal(u32 value)
{
	char digits[10];
	int n = 0;

	do {
		digits[n++] = '0' + value % 10;
		value /= 10;
	} while (value);
	for (int pad = n; pad < 7; pad++)
		log_char(' ');
	while (n)
		log_char(digits[--n]);
}

/* Divide 64 by 32 bits, without the compiler's runtime library; returns the low 32 bits. */
static u32 log_divide(u64 n, u32 d)
{
	u64 rest = 0;
	u32 quotient = 0;

	for (int bit = 63; bit >= 0; bit--) {
		rest = rest << 1 | (n >> bit & 1);
		quotient <<= 1;
		if (rest >= d) {
			rest -= d;
			quotient |= 1;
		}
	}
	return quotient;
}

static void log_stamp(void)
{
	log_decimal(log_divide(io_read64(SOC_TIMER + TIMER_NOW_LO), 1000000));
	log_text("ms ");
}

/**
 * log_value() - add one line: time, text, number in hexadecimal
 * @text: constant
 * @value: no secret
 */
void log_value(const char *text, u32 value)
{
	log_stamp();
	log_text(text);
	log_char(' ');
	log_hex(value);
	log_char('\n');
}

/**
 * log_fatal() - log a trap; called by start.S before the core stops
 * @cause: mcause
 * @pc: mepc
 * @tval: mtval
 */
void log_fatal(u32 cause, u32 pc, u32 tval)
{
	log_value("fatal: trap", cause);
	log_value("fatal: pc", pc);
	log_value("fatal: value", tval);
}

/**
 * log_read() - handle VKTLS_CMD_LOG_READ: copy the log from a position on
 */
u16 log_read(const void *payload, void *answer)
{
	const struct vktls_buf *buf = payload;
	struct vktls_log *log = answer;
	u32 from = buf->arg;
	u32 stored = log_head < LOG_BYTES ? log_head : LOG_BYTES;
	u32 len, run, done;
	u16 status;

	if (log_head - from > stored)
		from = log_head - stored;
	len = log_head - from;
	if (len > buf->len)
		len = buf->len;
	for (done = 0; done < len; done += run) {
		u32 at = (from + done) % LOG_BYTES;

		run = len - done;
		if (run > LOG_BYTES - at)
			run = LOG_BYTES - at;
		status = mbox_host_write(buf->addr + done, log_buf + at, run);
		if (status)
			return status;
	}
	log->next = from + len;
	log->len = len;
	return VKTLS_ST_OK;
}
