// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Faults on request: frames lost on the wire with a given probability. Each
 * direction draws from a generator of its own, so that equal seeds and equal
 * traffic in one direction lose equal frames, whatever the other one does.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "trace.h"
#include "vkdev.h"

#define PPM 1000000

static void fault_seed(VkdevState *s)
{
    s->fault_tx.random = 0x9e3779b97f4a7c15ull ^ s->fault_seed;
    s->fault_rx.random = 0xc2b2ae3d27d4eb4full ^ s->fault_seed;
}

/* xorshift64*, whose upper bits are the good ones */
static uint32_t fault_random(VkdevFault *fault)
{
    uint64_t x = fault->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    fault->random = x;
    return x * 0x2545f4914f6cdd1dull >> 32;
}

bool vkdev_fault_drops(VkdevState *s, bool tx)
{
    VkdevFault *fault = tx ? &s->fault_tx : &s->fault_rx;

    if (!fault->drop_ppm ||
        (uint64_t)fault_random(fault) * PPM >> 32 >= fault->drop_ppm) {
        return false;
    }
    s->stats[VKTLS_STAT_FAULTS_INJECTED]++;
    trace_vkdev_fault_drop(tx);
    return true;
}

static void fault_get(Object *obj, Visitor *v, const char *name, void *opaque,
                      Error **errp)
{
    uint32_t *field = (void *)((char *)VKDEV(obj) + (uintptr_t)opaque);

    visit_type_uint32(v, name, field, errp);
}

static void fault_set_drop(Object *obj, Visitor *v, const char *name,
                           void *opaque, Error **errp)
{
    uint32_t *field = (void *)((char *)VKDEV(obj) + (uintptr_t)opaque);
    uint32_t value;

    if (!visit_type_uint32(v, name, &value, errp)) {
        return;
    }
    if (value > PPM) {
        error_setg(errp, "%s is at most %d", name, PPM);
        return;
    }
    *field = value;
    trace_vkdev_fault_set(name, value);
}

static void fault_set_seed(Object *obj, Visitor *v, const char *name,
                           void *opaque, Error **errp)
{
    VkdevState *s = VKDEV(obj);

    if (visit_type_uint32(v, name, &s->fault_seed, errp)) {
        fault_seed(s);
        trace_vkdev_fault_set(name, s->fault_seed);
    }
}

static void fault_add(ObjectClass *klass, const char *name, size_t field,
                      ObjectPropertyAccessor *set, const char *text)
{
    object_class_property_add(klass, name, "uint32", fault_get, set, NULL,
                              (void *)(uintptr_t)field);
    object_class_property_set_description(klass, name, text);
}

void vkdev_fault_class_init(ObjectClass *klass)
{
    fault_add(klass, "fault-tx-drop-ppm",
              offsetof(VkdevState, fault_tx.drop_ppm), fault_set_drop,
              "Frames lost after they left, per million");
    fault_add(klass, "fault-rx-drop-ppm",
              offsetof(VkdevState, fault_rx.drop_ppm), fault_set_drop,
              "Frames lost before they arrive, per million");
    fault_add(klass, "fault-seed", offsetof(VkdevState, fault_seed),
              fault_set_seed, "Restart the random numbers of both");
}

void vkdev_fault_init(VkdevState *s)
{
    fault_seed(s);
}
