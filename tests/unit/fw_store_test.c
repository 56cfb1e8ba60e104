// SPDX-License-Identifier: GPL-2.0-only
/*
 * The firmware store: an update is checked before it counts, and the image from before it
 * starts whenever power is lost in between. Then signed images, in the store and loaded.
 */
#include <nettle/eddsa.h>

#include "fw_good.h"
#include "prng.h"
#include "soc/sha256.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PLACE(field)	offsetof(struct vktls_fw_header, field)
#define SLOT_BYTES	(VKDEV_CORE_STORE / 2)
#define LABEL(slot)	(rig.store + (slot) * SLOT_BYTES - 4096)
#define OLD		0x010000
#define NEW		0x010203

static uint8_t *image(void)
{
	return rig_at(RIG_IMAGE);
}

static void seal(void)
{
	uint8_t digest[VKDEV_SHA256_LEN];

	memset(image() + PLACE(digest), 0, sizeof(digest));
	vkdev_sha256(image(), rig_image_len(), digest);
	memcpy(image() + PLACE(digest), digest, sizeof(digest));
}

static void make_version(uint32_t version)
{
	rig_put(image() + PLACE(version), version, 4);
	seal();
}

static uint16_t op(uint32_t op)
{
	return vkdev_core_store_op(rig.core, op, RIG_IMAGE, 4096);
}

/* Write @len bytes in pieces and commit them; stops at the first failure. */
static uint16_t flash(uint32_t len)
{
	uint16_t status = op(VKTLS_STORE_ERASE);

	for (uint32_t done = 0, n; !status && done < len; done += n) {
		n = len - done < VKTLS_STORE_PIECE ? len - done : VKTLS_STORE_PIECE;
		status = vkdev_core_store_op(rig.core, VKTLS_STORE_WRITE, RIG_IMAGE + done, n);
	}
	return status ? status : op(VKTLS_STORE_COMMIT);
}

static uint16_t flash_version(uint32_t version)
{
	make_version(version);
	return flash(rig_image_len());
}

static unsigned int next(void)
{
	return (vkdev_core_store_info(rig.core) & VKTLS_STORE_NEXT) >> VKTLS_STORE_NEXT_SHIFT;
}

static unsigned int running(void)
{
	return (vkdev_core_store_info(rig.core) & VKTLS_STORE_RUNNING) >>
	       VKTLS_STORE_RUNNING_SHIFT;
}

/* Reset and start what is stored. Return: the version that runs, 0 if none. */
static uint32_t boot(void)
{
	vkdev_core_reset(rig.core);
	if (vkdev_core_boot(rig.core) || !rig_run() ||
	    vkdev_core_fw_state(rig.core) != VKTLS_FW_READY)
		return 0;
	return vkdev_core_fw_version(rig.core);
}

static void test_empty_store(void)
{
	rig_init(&rig_config);
	ktap_expect_eq(vkdev_core_store_info(rig.core), VKTLS_STORE_PRESENT);
	ktap_expect_eq(vkdev_core_store_version(rig.core, 1), 0);
	ktap_expect_eq(vkdev_core_boot(rig.core), VKTLS_ST_NOENT);
	ktap_expect_eq(vkdev_core_fw_state(rig.core), VKTLS_FW_REFUSED);
	ktap_expect_eq(vkdev_core_fw_code(rig.core), VKTLS_ST_NOENT);
	ktap_expect(rig_boot());
	ktap_expect_eq(running(), 0);
}

static void test_update_and_start(void)
{
	rig_init(&rig_config);
	ktap_expect(rig_boot());	/* a store works while firmware runs */
	ktap_expect_eq(flash_version(OLD), VKTLS_ST_OK);
	ktap_expect_eq(next(), 1);
	ktap_expect_eq(running(), 0);
	ktap_expect_eq(vkdev_core_store_version(rig.core, 1), OLD);
	ktap_expect_eq(vkdev_core_boot(rig.core), VKTLS_ST_STATE);
	ktap_expect_eq(boot(), OLD);
	ktap_expect_eq(running(), 1);
	ktap_expect_eq(flash_version(NEW), VKTLS_ST_OK);
	ktap_expect_eq(next(), 2);
	ktap_expect_eq(running(), 1);
	ktap_expect_eq(vkdev_core_fw_version(rig.core), OLD);
	ktap_expect_eq(boot(), NEW);
	ktap_expect_eq(running(), 2);
}

/* The slot of the running image is kept, also when it is not the next one. */
static void test_update_before_the_last_was_started(void)
{
	uint8_t slot[SLOT_BYTES];

	rig_init(&rig_config);
	ktap_expect_eq(flash_version(OLD), VKTLS_ST_OK);
	ktap_expect_eq(boot(), OLD);
	ktap_expect_eq(flash_version(NEW), VKTLS_ST_OK);
	memcpy(slot, rig.store, sizeof(slot));
	ktap_expect_eq(op(VKTLS_STORE_ERASE), VKTLS_ST_OK);
	ktap_expect_eq(next(), 1);
	ktap_expect_eq(flash_version(NEW + 1), VKTLS_ST_OK);
	ktap_expect_mem(rig.store, slot, sizeof(slot));
	ktap_expect_eq(next(), 2);
	ktap_expect_eq(boot(), NEW + 1);
}

static void test_numbers_of_updates_wrap(void)
{
	uint8_t words[16], digest[VKDEV_SHA256_LEN];

	rig_init(&rig_config);
	ktap_expect_eq(flash_version(OLD), VKTLS_ST_OK);
	memcpy(words, LABEL(1), sizeof(words));
	memset(words + 4, 0xff, 4);
	vkdev_sha256(words, sizeof(words), digest);
	memcpy(LABEL(1), words, sizeof(words));
	memcpy(LABEL(1) + sizeof(words), digest, sizeof(digest));
	ktap_expect_eq(boot(), OLD);
	ktap_expect_eq(flash_version(NEW), VKTLS_ST_OK);
	ktap_expect_eq(boot(), NEW);
	ktap_expect_eq(flash_version(NEW + 1), VKTLS_ST_OK);
	ktap_expect_eq(boot(), NEW + 1);
}

/* Images with one wrong field; the digest is right, but in its own row. */
static const struct bad_image {
	const char *name;
	uint32_t at;
	uint32_t value;
	uint16_t want;
} bad_images[] = {
	{ "refused: magic", PLACE(magic), 1, VKTLS_ST_FW_MAGIC },
	{ "refused: abi", PLACE(abi_major), 99, VKTLS_ST_FW_ABI },
	{ "refused: body length", PLACE(body_len), 4, VKTLS_ST_FW_LENGTH },
	{ "refused: reserved", PLACE(reserved), 1, VKTLS_ST_RESERVED },
	{ "refused: digest", PLACE(digest), 1, VKTLS_ST_FW_DIGEST },
	{ "refused: entry", PLACE(entry), 2, VKTLS_ST_FW_ENTRY },
};

static void test_bad_image(const void *row)
{
	const struct bad_image *b = row;

	rig_init(&rig_config);
	ktap_expect_eq(flash_version(OLD), VKTLS_ST_OK);
	rig_put(image() + b->at, b->value, 4);
	if (b->at != PLACE(digest))
		seal();
	ktap_expect_eq(flash(rig_image_len()), b->want);
	ktap_expect_eq(vkdev_core_store_result(rig.core), b->want);
	ktap_expect_eq(next(), 1);
	ktap_expect_eq(vkdev_core_store_version(rig.core, 2), 0);
	ktap_expect_eq(op(VKTLS_STORE_COMMIT), VKTLS_ST_STATE);
	ktap_expect_eq(boot(), OLD);
}

static uint16_t write_piece(uint64_t addr, uint32_t len)
{
	return vkdev_core_store_op(rig.core, VKTLS_STORE_WRITE, addr, len);
}

static void test_operations_out_of_place(void)
{
	rig_init(&rig_config);
	ktap_expect_eq(op(VKTLS_STORE_WRITE), VKTLS_ST_STATE);
	ktap_expect_eq(op(VKTLS_STORE_COMMIT), VKTLS_ST_STATE);
	ktap_expect_eq(op(0), VKTLS_ST_OPCODE);
	ktap_expect_eq(op(4), VKTLS_ST_OPCODE);
	ktap_expect_eq(op(UINT32_MAX), VKTLS_ST_OPCODE);
	ktap_expect_eq(rig.store_writes, 0);
	ktap_expect_eq(op(VKTLS_STORE_ERASE), VKTLS_ST_OK);
	ktap_expect_eq(op(VKTLS_STORE_COMMIT), VKTLS_ST_FW_LENGTH);
	ktap_expect_eq(op(VKTLS_STORE_WRITE), VKTLS_ST_STATE);
	ktap_expect_eq(op(VKTLS_STORE_ERASE), VKTLS_ST_OK);
	vkdev_core_reset(rig.core);
	ktap_expect_eq(vkdev_core_store_result(rig.core), 0);
	ktap_expect_eq(op(VKTLS_STORE_WRITE), VKTLS_ST_STATE);
}

/* A piece that is refused changes nothing: the update goes on. */
static void test_bad_pieces(void)
{
	uint32_t done = 0, len;

	rig_init(&rig_config);
	make_version(NEW);
	ktap_expect_eq(op(VKTLS_STORE_ERASE), VKTLS_ST_OK);
	for (; done < rig_image_len(); done += len) {
		len = rig_image_len() - done < 1000 ? rig_image_len() - done : 1000;
		ktap_expect_eq(write_piece(RIG_IMAGE, 0), VKTLS_ST_LENGTH);
		ktap_expect_eq(write_piece(RIG_IMAGE, VKTLS_STORE_PIECE + 1), VKTLS_ST_LENGTH);
		ktap_expect_eq(write_piece(RIG_IMAGE, UINT32_MAX), VKTLS_ST_LENGTH);
		ktap_expect_eq(write_piece(0x1000, 16), VKTLS_ST_DMA);
		ktap_expect_eq(write_piece(RIG_IMAGE + done, len), VKTLS_ST_OK);
	}
	ktap_expect_eq(op(VKTLS_STORE_COMMIT), VKTLS_ST_OK);
	ktap_expect_eq(boot(), NEW);
}

static void test_image_without_end(void)
{
	uint8_t after[SLOT_BYTES];

	rig_init(&rig_config);
	memcpy(after, rig.store + SLOT_BYTES, sizeof(after));
	ktap_expect_eq(op(VKTLS_STORE_ERASE), VKTLS_ST_OK);
	for (uint32_t i = 0; i < VKTLS_FW_MAX_BYTES / VKTLS_STORE_PIECE; i++)
		ktap_expect_eq(op(VKTLS_STORE_WRITE), VKTLS_ST_OK);
	ktap_expect_eq(write_piece(RIG_IMAGE, 1), VKTLS_ST_LENGTH);
	ktap_expect_mem(rig.store + SLOT_BYTES, after, sizeof(after));
}

/* Power is lost in the middle of each write in turn. */
static void test_power_lost(void)
{
	static uint8_t before[VKDEV_CORE_STORE];
	unsigned int writes;
	uint16_t status;

	rig_init(&rig_config);
	ktap_expect_eq(flash_version(OLD), VKTLS_ST_OK);
	ktap_expect_eq(boot(), OLD);
	memcpy(before, rig.store, sizeof(before));
	rig.store_writes = 0;
	ktap_expect_eq(flash_version(NEW), VKTLS_ST_OK);
	writes = rig.store_writes;
	ktap_expect(writes >= 4);
	for (unsigned int n = 1; n <= writes + 1; n++) {
		memcpy(rig.store, before, sizeof(before));
		ktap_expect_eq(boot(), OLD);
		rig.store_writes = 0;
		rig.store_dies_at = n;
		status = flash_version(NEW);
		rig.store_dies_at = 0;
		ktap_expect_eq(status, n <= writes ? VKTLS_ST_FW_STORE : VKTLS_ST_OK);
		ktap_expect_eq(boot(), n <= writes ? OLD : NEW);
	}
}

static void test_damaged_image_gives_way_to_the_other(void)
{
	rig_init(&rig_config);
	ktap_expect_eq(flash_version(OLD), VKTLS_ST_OK);
	ktap_expect_eq(flash_version(NEW), VKTLS_ST_OK);
	ktap_expect_eq(next(), 2);
	rig.store[SLOT_BYTES + 200] ^= 1;
	ktap_expect_eq(boot(), OLD);
	ktap_expect_eq(running(), 1);
	/* the slot in use stays, though it is not the next one */
	ktap_expect_eq(flash_version(NEW), VKTLS_ST_OK);
	ktap_expect_eq(boot(), NEW);
	rig.store[200] ^= 1;
	rig.store[SLOT_BYTES] ^= 1;
	ktap_expect_eq(boot(), 0);
	ktap_expect_eq(vkdev_core_fw_code(rig.core), VKTLS_ST_FW_MAGIC);
	ktap_expect(rig_boot());
}

static void test_unreadable_store(void)
{
	rig_init(&rig_config);
	ktap_expect_eq(flash_version(OLD), VKTLS_ST_OK);
	rig.store_unreadable = true;
	ktap_expect_eq(next(), 0);
	ktap_expect_eq(boot(), 0);
	ktap_expect_eq(flash_version(NEW), VKTLS_ST_FW_STORE);
	rig.store_unreadable = false;
	ktap_expect_eq(boot(), 0);	/* nothing was kept that is not whole */
}

/* Whatever is in the store, the device starts an image that is right, or none. */
static void test_any_bytes(void)
{
	struct prng r = { .state = 2026 };
	uint8_t words[16];

	rig_init(&rig_config);
	ktap_expect_eq(flash_version(OLD), VKTLS_ST_OK);
	ktap_expect_eq(flash_version(NEW), VKTLS_ST_OK);
	for (int i = 0; i < 300; i++) {
		unsigned int slot = 1 + prng_below(&r, 2);

		memcpy(words, LABEL(slot), sizeof(words));
		words[4 + prng_below(&r, 12)] = prng_next(&r);
		memcpy(LABEL(slot), words, sizeof(words));
		if (prng_below(&r, 4))
			vkdev_sha256(words, sizeof(words), LABEL(slot) + sizeof(words));
		if (!prng_below(&r, 20))
			rig.store[prng_below(&r, sizeof(rig.store))] ^= 1;
		boot();
		flash_version(i % 2 ? OLD : NEW);
	}
	ktap_expect(boot() != 0);
}

static void test_card_of_an_older_version(void)
{
	VkdevCoreConfig config = rig_config;

	config.abi_minor = 8;
	rig_init(&config);
	ktap_expect_eq(vkdev_core_store_info(rig.core), 0);
	ktap_expect_eq(op(VKTLS_STORE_ERASE), VKTLS_ST_UNSUPPORTED);
	ktap_expect_eq(vkdev_core_store_result(rig.core), 0);
	ktap_expect_eq(vkdev_core_boot(rig.core), VKTLS_ST_UNSUPPORTED);
	ktap_expect_eq(vkdev_core_fw_state(rig.core), VKTLS_FW_NONE);
	ktap_expect_eq(vkdev_core_store_version(rig.core, 1), 0);
	ktap_expect_eq(rig.store_writes, 0);
}

/* The state of an update goes along when the core is saved. */
static void test_saved_in_an_update(void)
{
	static uint8_t saved[VKDEV_CORE_SAVED];
	uint32_t half = 4096;

	rig_init(&rig_config);
	make_version(NEW);
	ktap_expect_eq(op(VKTLS_STORE_ERASE), VKTLS_ST_OK);
	ktap_expect_eq(write_piece(RIG_IMAGE, half), VKTLS_ST_OK);
	vkdev_core_save(rig.core, saved);
	vkdev_core_reset(rig.core);
	ktap_expect(vkdev_core_restore(rig.core, saved));
	for (uint32_t done = half, n; done < rig_image_len(); done += n) {
		n = rig_image_len() - done < half ? rig_image_len() - done : half;
		ktap_expect_eq(write_piece(RIG_IMAGE + done, n), VKTLS_ST_OK);
	}
	ktap_expect_eq(op(VKTLS_STORE_COMMIT), VKTLS_ST_OK);
	ktap_expect_eq(boot(), NEW);
}

static void test_crash_registers(void)
{
	VkdevCoreCrash crash;

	rig_init(&rig_config);
	ktap_expect(rig_boot());
	ktap_expect_eq(vkdev_core_crash_get(rig.core).cause, 0);
	ktap_expect(vkdev_core_crash(rig.core));
	rig_run();
	ktap_expect_eq(vkdev_core_fw_state(rig.core), VKTLS_FW_CRASHED);
	crash = vkdev_core_crash_get(rig.core);
	ktap_expect_eq(crash.pc, 0);
	ktap_expect_eq(crash.cause, 1);	/* no instruction at that address */
	vkdev_core_reset(rig.core);
	ktap_expect_eq(vkdev_core_crash_get(rig.core).cause, 0);
}

/* ---- Signed images ---- */

static const uint8_t private_key[ED25519_KEY_SIZE] = "the owner of the card, 32 bytes";
static const uint8_t stranger[ED25519_KEY_SIZE] = "somebody else, with 32 bytes too";

static VkdevCoreConfig signed_config(void)
{
	VkdevCoreConfig config = rig_config;

	config.fw_signed = true;
	ed25519_sha512_public_key(config.fw_key, private_key);
	return config;
}

/* Append a signature by the owner of @key. Return: the bytes of both. */
static uint32_t sign(const uint8_t *key)
{
	struct vktls_fw_sign sign = { .magic = VKTLS_FW_SIGN_MAGIC };
	uint8_t public[ED25519_KEY_SIZE];

	ed25519_sha512_public_key(public, key);
	ed25519_sha512_sign(public, key, rig_image_len(), image(), sign.signature);
	memcpy(image() + rig_image_len(), &sign, sizeof(sign));
	return rig_image_len() + sizeof(sign);
}

/* Load the image, and flash it: both have the same outcome. */
static void expect_both(uint32_t len, uint16_t want)
{
	vkdev_core_reset(rig.core);
	ktap_expect_eq(vkdev_core_load(rig.core, RIG_IMAGE, len), want);
	ktap_expect_eq(flash(len), want);
	vkdev_core_reset(rig.core);
	ktap_expect_eq(vkdev_core_boot(rig.core), want ? VKTLS_ST_NOENT : VKTLS_ST_OK);
}

static void test_unsigned_image(void)
{
	VkdevCoreConfig config = signed_config();

	rig_init(&config);
	ktap_expect_eq(vkdev_core_store_info(rig.core), VKTLS_STORE_PRESENT | VKTLS_STORE_SIGNED);
	expect_both(rig_image_len(), VKTLS_ST_FW_UNSIGNED);
}

static void test_signed_image(void)
{
	VkdevCoreConfig config = signed_config();

	rig_init(&config);
	expect_both(sign(private_key), VKTLS_ST_OK);
	ktap_expect(rig_run());
	ktap_expect_eq(vkdev_core_fw_state(rig.core), VKTLS_FW_READY);
}

static void test_image_signed_by_somebody_else(void)
{
	VkdevCoreConfig config = signed_config();

	rig_init(&config);
	expect_both(sign(stranger), VKTLS_ST_FW_SIGNATURE);
}

/* A change with a new digest, as an attacker would make it. */
static void test_signed_image_that_was_changed(void)
{
	VkdevCoreConfig config = signed_config();
	uint32_t len;

	rig_init(&config);
	len = sign(private_key);
	make_version(NEW);
	expect_both(len, VKTLS_ST_FW_SIGNATURE);
}

static void test_signature_with_wrong_fields(void)
{
	VkdevCoreConfig config = signed_config();
	uint8_t *at;
	uint32_t len;

	rig_init(&config);
	len = sign(private_key);
	at = image() + rig_image_len();
	at[0] ^= 1;
	expect_both(len, VKTLS_ST_FW_MAGIC);
	at[0] ^= 1;
	at[7] = 1;
	expect_both(len, VKTLS_ST_RESERVED);
	at[7] = 0;
	expect_both(len - 1, VKTLS_ST_FW_LENGTH);
	expect_both(len + 1, VKTLS_ST_FW_LENGTH);
	expect_both(len, VKTLS_ST_OK);
}

/* A card without a key takes signed images, by whomever. */
static void test_card_without_a_key(void)
{
	rig_init(&rig_config);
	expect_both(sign(stranger), VKTLS_ST_OK);
}

/* What the store had before the card got its key is not started. */
static void test_key_after_the_update(void)
{
	static uint8_t store[VKDEV_CORE_STORE];
	VkdevCoreConfig config = signed_config();

	rig_init(&rig_config);
	ktap_expect_eq(flash_version(OLD), VKTLS_ST_OK);
	memcpy(store, rig.store, sizeof(store));
	rig_init(&config);
	memcpy(rig.store, store, sizeof(store));
	ktap_expect_eq(vkdev_core_boot(rig.core), VKTLS_ST_FW_UNSIGNED);
	ktap_expect_eq(vkdev_core_fw_state(rig.core), VKTLS_FW_REFUSED);
}

static void test_signed_image_on_an_older_card(void)
{
	VkdevCoreConfig config = rig_config;

	config.abi_minor = 8;
	rig_init(&config);
	image()[PLACE(abi_minor)] = 8;
	seal();
	ktap_expect_eq(vkdev_core_load(rig.core, RIG_IMAGE, sign(private_key)),
		       VKTLS_ST_FW_LENGTH);
}

int main(void)
{
	ktap_start();
	KTAP_RUN(test_empty_store);
	KTAP_RUN(test_update_and_start);
	KTAP_RUN(test_update_before_the_last_was_started);
	KTAP_RUN(test_numbers_of_updates_wrap);
	for (size_t i = 0; i < ARRAY_SIZE(bad_images); i++)
		ktap_case(bad_images[i].name, test_bad_image, &bad_images[i]);
	KTAP_RUN(test_operations_out_of_place);
	KTAP_RUN(test_bad_pieces);
	KTAP_RUN(test_image_without_end);
	KTAP_RUN(test_power_lost);
	KTAP_RUN(test_damaged_image_gives_way_to_the_other);
	KTAP_RUN(test_unreadable_store);
	KTAP_RUN(test_any_bytes);
	KTAP_RUN(test_card_of_an_older_version);
	KTAP_RUN(test_saved_in_an_update);
	KTAP_RUN(test_crash_registers);
	KTAP_RUN(test_unsigned_image);
	KTAP_RUN(test_signed_image);
	KTAP_RUN(test_image_signed_by_somebody_else);
	KTAP_RUN(test_signed_image_that_was_changed);
	KTAP_RUN(test_signature_with_wrong_fields);
	KTAP_RUN(test_card_without_a_key);
	KTAP_RUN(test_key_after_the_update);
	KTAP_RUN(test_signed_image_on_an_older_card);
	rig_fini();
	return ktap_finish();
}
