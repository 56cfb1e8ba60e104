// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * QTest of the vktls NIC: PCI identity, registers, the test block, and that
 * DMA reaches only memory.
 */
#include "qemu/osdep.h"
#include "libqtest.h"
#include "libqos/pci-pc.h"
#include "hw/pci/pci_ids.h"
#include "hw/pci/pci_regs.h"
#include "hw/net/vktls/vktls_abi.h"

#define SLOT 4
#define BUFFER 0x100000
#define LENGTH 4096
#define SEED 7

typedef struct Card {
    QTestState *qts;
    QPCIBus *bus;
    QPCIDevice *dev;
    QPCIBar bar;
} Card;

static void card_open(Card *card)
{
    card->qts = qtest_init("-machine q35 -device vktls,addr=04.0");
    card->bus = qpci_new_pc(card->qts, NULL);
    card->dev = qpci_device_find(card->bus, QPCI_DEVFN(SLOT, 0));
    g_assert(card->dev);
    qpci_device_enable(card->dev);
    card->bar = qpci_iomap(card->dev, 0, NULL);
}

static void card_close(Card *card)
{
    g_free(card->dev);
    qpci_free_pc(card->bus);
    qtest_quit(card->qts);
}

static uint32_t card_read(Card *card, uint32_t reg)
{
    return qpci_io_readl(card->dev, card->bar, reg);
}

static void card_write(Card *card, uint32_t reg, uint32_t value)
{
    qpci_io_writel(card->dev, card->bar, reg, value);
}

/* Run an operation of the test block. Return: a VKTLS_ST_* status. */
static uint32_t card_test(Card *card, uint32_t op, uint64_t addr)
{
    card_write(card, VKTLS_REG_TEST_ADDR_LO, addr);
    card_write(card, VKTLS_REG_TEST_ADDR_HI, addr >> 32);
    card_write(card, VKTLS_REG_TEST_LEN, LENGTH);
    card_write(card, VKTLS_REG_TEST_SEED, SEED);
    card_write(card, VKTLS_REG_TEST_OP, op);
    return card_read(card, VKTLS_REG_TEST_RESULT);
}

static void test_identity(void)
{
    Card card;

    card_open(&card);
    g_assert(qpci_config_readw(card.dev, PCI_VENDOR_ID) == VKTLS_PCI_VENDOR);
    g_assert(qpci_config_readw(card.dev, PCI_DEVICE_ID) == VKTLS_PCI_DEVICE);
    g_assert(qpci_config_readw(card.dev, PCI_CLASS_DEVICE) ==
             PCI_CLASS_NETWORK_ETHERNET);
    g_assert(card_read(&card, VKTLS_REG_MAGIC) == VKTLS_MAGIC);
    g_assert(card_read(&card, VKTLS_REG_ABI) ==
             (VKTLS_ABI_MAJOR << 16 | VKTLS_ABI_MINOR));
    card_close(&card);
}

static void test_scratch(void)
{
    Card card;

    card_open(&card);
    card_write(&card, VKTLS_REG_TEST_SCRATCH, 0x12345678);
    g_assert(card_read(&card, VKTLS_REG_TEST_SCRATCH) == 0x12345678);
    card_close(&card);
}

static void test_dma(void)
{
    Card card;

    card_open(&card);
    g_assert(card_test(&card, VKTLS_TEST_FILL, BUFFER) == VKTLS_ST_OK);
    for (uint32_t n = 0; n < LENGTH / 4; n++) {
        g_assert(qtest_readl(card.qts, BUFFER + n * 4) ==
                 (uint32_t)VKTLS_TEST_WORD(SEED, n));
    }
    g_assert(card_test(&card, VKTLS_TEST_CHECK, BUFFER) == VKTLS_ST_OK);
    qtest_writel(card.qts, BUFFER + 8, 0);
    g_assert(card_test(&card, VKTLS_TEST_CHECK, BUFFER) == VKTLS_ST_PARAM);
    g_assert(card_read(&card, VKTLS_REG_TEST_WHERE) == 8);
    card_close(&card);
}

static void test_dma_outside_memory(void)
{
    static const uint64_t places[] = { 0xfee00000, 1ull << 40, -16ull };
    Card card;

    card_open(&card);
    for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
        g_assert(card_test(&card, VKTLS_TEST_FILL, places[i]) == VKTLS_ST_DMA);
    }
    card_close(&card);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/vktls/identity", test_identity);
    qtest_add_func("/vktls/scratch", test_scratch);
    qtest_add_func("/vktls/dma", test_dma);
    qtest_add_func("/vktls/dma-outside-memory", test_dma_outside_memory);
    return g_test_run();
}
