// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * QEMU properties through which a user asks for faults: tables of names, help
 * texts and ranges. A bad value is refused with an error and changes nothing.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "trace.h"
#include "vkdev.h"

#define DELAY_US_MAX 10000000
#define DELAY_MS_MAX 60000

typedef struct FaultNumber {
    const char *name;
    size_t field;       /* uint32_t of VkdevState */
    uint32_t max;
    const char *text;
} FaultNumber;

typedef struct FaultRule {
    const char *name;
    size_t field;       /* VkdevFaultRule of VkdevState */
    VkdevFaultSyntax syntax;
    const char *text;
} FaultRule;

typedef struct FaultAct {
    const char *name;
    uint32_t max;
    bool (*act)(VkdevState *s, uint32_t value);
    const char *refused;        /* error text when act() returns false */
    const char *text;
} FaultAct;

static void *fault_field(Object *obj, size_t field)
{
    return (char *)VKDEV(obj) + field;
}

static void fault_trace_number(const char *name, uint64_t value)
{
    g_autofree char *text = g_strdup_printf("%" PRIu64, value);

    trace_vkdev_fault_set(name, text);
}

/*
 * Accessors of properties with a number, which stays set until it is changed.
 */

static void number_get(Object *obj, Visitor *v, const char *name, void *opaque,
                       Error **errp)
{
    const FaultNumber *number = opaque;

    visit_type_uint32(v, name, fault_field(obj, number->field), errp);
}

static bool number_visit(Visitor *v, const char *name, uint32_t max,
                         uint32_t *value, Error **errp)
{
    if (!visit_type_uint32(v, name, value, errp)) {
        return false;
    }
    if (*value > max) {
        error_setg(errp, "%s is at most %" PRIu32, name, max);
        return false;
    }
    fault_trace_number(name, *value);
    return true;
}

static void number_set(Object *obj, Visitor *v, const char *name, void *opaque,
                       Error **errp)
{
    const FaultNumber *number = opaque;
    uint32_t value;

    if (number_visit(v, name, number->max, &value, errp)) {
        *(uint32_t *)fault_field(obj, number->field) = value;
    }
}

static void seed_set(Object *obj, Visitor *v, const char *name, void *opaque,
                     Error **errp)
{
    VkdevFaults *f = &VKDEV(obj)->faults;

    number_set(obj, v, name, opaque, errp);
    vkdev_fault_line_seed(&f->tx, f->seed, true);
    vkdev_fault_line_seed(&f->rx, f->seed, false);
}

/* Read-only properties that count faults. */

static void count_get(Object *obj, Visitor *v, const char *name, void *opaque,
                      Error **errp)
{
    visit_type_uint64(v, name, fault_field(obj, (uintptr_t)opaque), errp);
}

static void count_add(ObjectClass *klass, const char *kind, size_t field)
{
    g_autofree char *name = g_strdup_printf("fault-count-%s", kind);

    object_class_property_add(klass, name, "uint64", count_get, NULL, NULL,
                              (void *)(uintptr_t)field);
    object_class_property_set_description(klass, name,
                                          "How many there were so far");
}

/* Properties for each direction (tx, rx) and each kind of frame fault. */

typedef struct FaultKind {
    const char *name;
    const char *text;
} FaultKind;

static const FaultKind kinds[VKDEV_FAULT_KINDS] = {
    [VKDEV_FAULT_DROP] = { "drop", "lost" },
    [VKDEV_FAULT_DELAY] = { "delay", "delayed" },
    [VKDEV_FAULT_CORRUPT] = { "corrupt", "changed in one byte" },
    [VKDEV_FAULT_REORDER] = { "reorder", "overtaken" },
    [VKDEV_FAULT_DUPLICATE] = { "duplicate", "doubled" },
};

static void number_add(ObjectClass *klass, const FaultNumber *number,
                       ObjectPropertyAccessor *set)
{
    object_class_property_add(klass, number->name, "uint32", number_get, set,
                              NULL, (void *)number);
    object_class_property_set_description(klass, number->name, number->text);
}

/*
 * Add a property of a number. The memory of the name, the text and the
 * FaultNumber is never freed, because a QEMU class is never freed.
 */
static void line_number_add(ObjectClass *klass, char *name, size_t field,
                            uint32_t max, char *text)
{
    FaultNumber *number = g_new(FaultNumber, 1);

    *number = (FaultNumber) { name, field, max, text };
    number_add(klass, number, number_set);
}

static void line_kind_add(ObjectClass *klass, const char *dir,
                          const FaultKind *kind, size_t chance)
{
    g_autofree char *name = g_strdup_printf("%s-%s", dir, kind->name);

    line_number_add(klass, g_strdup_printf("fault-%s-nth", name),
                    chance + offsetof(VkdevFaultChance, nth), UINT32_MAX,
                    g_strdup_printf("The frame that is %s: 1 is the next, 0 "
                                    "none", kind->text));
    line_number_add(klass, g_strdup_printf("fault-%s-ppm", name),
                    chance + offsetof(VkdevFaultChance, ppm), VKDEV_FAULT_PPM,
                    g_strdup_printf("Frames that are %s, per million",
                                    kind->text));
    count_add(klass, name, chance + offsetof(VkdevFaultChance, count));
}

static void line_add(ObjectClass *klass, const char *dir, size_t line)
{
    for (unsigned i = 0; i < VKDEV_FAULT_KINDS; i++) {
        line_kind_add(klass, dir, &kinds[i], line +
                      offsetof(VkdevFaultLine, chance) +
                      i * sizeof(VkdevFaultChance));
    }
    line_number_add(klass, g_strdup_printf("fault-%s-delay-us", dir),
                    line + offsetof(VkdevFaultLine, delay_us), DELAY_US_MAX,
                    g_strdup("Delay of a delayed frame"));
    line_number_add(klass, g_strdup_printf("fault-%s-reorder-by", dir),
                    line + offsetof(VkdevFaultLine, reorder_by),
                    VKDEV_FAULT_HELD,
                    g_strdup("Frames that overtake one"));
}

/* Properties with a rule in text form. */

static const FaultRule rules[] = {
    { "cmd-fail", offsetof(VkdevState, faults.cmds.fail),
      { "OPCODE", UINT16_MAX, "STATUS", UINT16_MAX },
      "OPCODE:FIRST[-LAST]:STATUS: commands that are answered so, not done" },
    { "cmd-delay", offsetof(VkdevState, faults.cmds.delay),
      { "OPCODE", UINT16_MAX, "MS", DELAY_MS_MAX },
      "OPCODE:FIRST[-LAST]:MS: commands whose answer is late" },
    { "cmd-lose", offsetof(VkdevState, faults.cmds.lose),
      { "OPCODE", UINT16_MAX },
      "OPCODE:FIRST[-LAST]: commands whose answer never comes" },
    { "cmd-lie", offsetof(VkdevState, faults.cmds.lie),
      { "OPCODE", UINT16_MAX, "WORD", UINT32_MAX },
      "OPCODE:FIRST[-LAST]:WORD: commands whose answer begins with WORD" },
    { "cmd-twice", offsetof(VkdevState, faults.cmds.twice),
      { "OPCODE", UINT16_MAX },
      "OPCODE:FIRST[-LAST]: commands that are answered twice" },
    { "event-flood", offsetof(VkdevState, faults.event_flood),
      { "TYPE", UINT16_MAX },
      "TYPE:FIRST[-LAST]: events after which another one comes" },
    { "tx-cpl-lie", offsetof(VkdevState, faults.tx_cpl_lie),
      { "QUEUE", VKTLS_MAX_QUEUES - 1, "ADD", UINT16_MAX },
      "QUEUE:FIRST[-LAST]:ADD: transmit completions ADD descriptors further" },
    { "rx-cpl-lie", offsetof(VkdevState, faults.rx_cpl_lie),
      { "QUEUE", VKTLS_MAX_QUEUES - 1, "ADD", UINT16_MAX },
      "QUEUE:FIRST[-LAST]:ADD: receive completions ADD buffers further" },
    { "rx-cpl-long", offsetof(VkdevState, faults.rx_cpl_long),
      { "QUEUE", VKTLS_MAX_QUEUES - 1, "LEN", UINT16_MAX },
      "QUEUE:FIRST[-LAST]:LEN: receive completions that claim LEN bytes" },
    { "cpl-twice", offsetof(VkdevState, faults.cpl_twice),
      { "VECTOR", VKTLS_VEC_QUEUE(VKTLS_MAX_QUEUES) - 1 },
      "VECTOR:FIRST[-LAST]: completions of queue pairs that come twice" },
    { "event-lose", offsetof(VkdevState, faults.event_lose),
      { "TYPE", UINT16_MAX },
      "TYPE:FIRST[-LAST]: events that get lost" },
    { "event-delay", offsetof(VkdevState, faults.event_delay),
      { "TYPE", UINT16_MAX, "MS", DELAY_MS_MAX },
      "TYPE:FIRST[-LAST]:MS: events that are late" },
    { "event-alter", offsetof(VkdevState, faults.event_alter),
      { "TYPE", UINT16_MAX, "ARG", UINT32_MAX },
      "TYPE:FIRST[-LAST]:ARG: events that say ARG instead" },
    { "irq-lose", offsetof(VkdevState, faults.irq_lose),
      { "VECTOR", VKTLS_VEC_QUEUE(VKTLS_MAX_QUEUES) - 1 },
      "VECTOR:FIRST[-LAST]: interrupts that get lost" },
};

static void rule_get(Object *obj, Visitor *v, const char *name, void *opaque,
                     Error **errp)
{
    const FaultRule *rule = opaque;
    char buf[64], *text = buf;

    vkdev_fault_rule_format(&rule->syntax, fault_field(obj, rule->field), buf,
                            sizeof(buf));
    visit_type_str(v, name, &text, errp);
}

static void rule_set(Object *obj, Visitor *v, const char *name, void *opaque,
                     Error **errp)
{
    const FaultRule *rule = opaque;
    const VkdevFaultSyntax *syntax = &rule->syntax;
    g_autofree char *text = NULL;
    const char *why;

    if (!visit_type_str(v, name, &text, errp)) {
        return;
    }
    why = vkdev_fault_rule_parse(syntax, text, fault_field(obj, rule->field));
    if (why) {
        error_setg(errp, "%s is %s:FIRST[-LAST]%s%s, \"%s\" is not: %s", name,
                   syntax->what, syntax->value ? ":" : "",
                   syntax->value ?: "", text, why);
        return;
    }
    trace_vkdev_fault_set(name, text);
}

static void rule_add(ObjectClass *klass, const FaultRule *rule)
{
    g_autofree char *name = g_strdup_printf("fault-%s", rule->name);

    object_class_property_add(klass, name, "string", rule_get, rule_set, NULL,
                              (void *)rule);
    object_class_property_set_description(klass, name, rule->text);
    count_add(klass, rule->name,
              rule->field + offsetof(VkdevFaultRule, count));
}

/* Properties that cause a fault at the moment when they are written. */

static void act_note(VkdevState *s, VkdevFaultAct act, const char *name,
                     uint32_t what, uint32_t value)
{
    s->faults.acts[act]++;
    vkdev_fault_note(s, name, what, value);
}

static bool act_ctx_forget(VkdevState *s, uint32_t id)
{
    if (!vkdev_ctx_forget(s, id)) {
        return false;
    }
    act_note(s, VKDEV_FAULT_CTX_FORGET, "ctx-forget", id, 0);
    return true;
}

static bool act_ctx_forget_all(VkdevState *s, uint32_t yes)
{
    for (uint32_t id = 0; yes && id < s->contexts; id++) {
        act_ctx_forget(s, id);
    }
    return true;
}

static bool act_fw(VkdevState *s, uint32_t yes, bool (*act)(VkdevCore *core),
                   VkdevFaultAct which, const char *name)
{
    if (yes && !act(s->core)) {
        return false;
    }
    if (yes) {
        act_note(s, which, name, 0, 0);
    }
    return true;
}

static bool act_fw_hang(VkdevState *s, uint32_t yes)
{
    return act_fw(s, yes, vkdev_core_hang, VKDEV_FAULT_FW_HANG, "fw-hang");
}

static bool act_fw_crash(VkdevState *s, uint32_t yes)
{
    return act_fw(s, yes, vkdev_core_crash, VKDEV_FAULT_FW_CRASH, "fw-crash");
}

/*
 * Take the device away from the host, or give it back. The reset ends all DMA
 * and all frames in progress.
 */
static bool act_gone(VkdevState *s, uint32_t gone)
{
    if (gone && !s->faults.gone) {
        vkdev_reset(s);
        act_note(s, VKDEV_FAULT_GONE, "gone", 0, 0);
    }
    s->faults.gone = gone;
    return true;
}

static bool act_irq(VkdevState *s, uint32_t vector)
{
    if (vector >= s->vectors) {
        return false;
    }
    act_note(s, VKDEV_FAULT_IRQ_SPURIOUS, "irq-spurious", vector, 0);
    vkdev_irq_raise(s, vector);
    return true;
}

static const FaultAct acts[] = {
    { "fault-ctx-forget", UINT32_MAX, act_ctx_forget,
      "no such context", "Lose the context with this number" },
    { "fault-ctx-forget-all", 1, act_ctx_forget_all,
      NULL, "1: lose all contexts" },
    { "fault-fw-hang", 1, act_fw_hang,
      "no firmware runs", "1: firmware stands still, up to a reset" },
    { "fault-fw-crash", 1, act_fw_crash,
      "no firmware runs", "1: firmware ends in a fatal trap" },
    { "fault-gone", 1, act_gone,
      NULL, "1: all that is read is ones, as if pulled out; 0: back, reset" },
    { "fault-irq-spurious", UINT32_MAX, act_irq,
      "no such vector", "Send the interrupt of this vector for no reason" },
};

static bool act_possible(Object *obj, const char *name, Error **errp)
{
    if (!DEVICE(obj)->realized) {
        error_setg(errp, "%s is for a device that exists", name);
        return false;
    }
    return true;
}

static void act_set(Object *obj, Visitor *v, const char *name, void *opaque,
                    Error **errp)
{
    const FaultAct *act = opaque;
    uint32_t value;

    if (!number_visit(v, name, act->max, &value, errp) ||
        !act_possible(obj, name, errp)) {
        return;
    }
    if (!act->act(VKDEV(obj), value)) {
        error_setg(errp, "%s: %s", name, act->refused);
    }
}

static void act_event_set(Object *obj, Visitor *v, const char *name,
                          void *opaque, Error **errp)
{
    VkdevState *s = VKDEV(obj);
    g_autofree char *text = NULL;
    VkdevCoreEvent event;
    uint32_t n[3];
    const char *why;

    if (!visit_type_str(v, name, &text, errp) ||
        !act_possible(obj, name, errp)) {
        return;
    }
    why = vkdev_fault_numbers_parse(text, n, ARRAY_SIZE(n));
    if (!why && n[0] > UINT16_MAX) {
        why = "there is no such type";
    }
    if (why) {
        error_setg(errp, "%s is TYPE:ID:ARG, \"%s\" is not: %s", name, text,
                   why);
        return;
    }
    trace_vkdev_fault_set(name, text);
    event = (VkdevCoreEvent) { .type = n[0], .id = n[1], .arg = n[2] };
    act_note(s, VKDEV_FAULT_EVENT_SEND, "event-send", n[0], n[1]);
    vkdev_core_event(s->core, &event);
}

static void acts_add(ObjectClass *klass)
{
    for (unsigned i = 0; i < ARRAY_SIZE(acts); i++) {
        object_class_property_add(klass, acts[i].name, "uint32", NULL, act_set,
                                  NULL, (void *)&acts[i]);
        object_class_property_set_description(klass, acts[i].name,
                                              acts[i].text);
    }
    object_class_property_add(klass, "fault-event-send", "string", NULL,
                              act_event_set, NULL, NULL);
    object_class_property_set_description(klass, "fault-event-send",
                                          "TYPE:ID:ARG: send this event");
}

static void act_counts_add(ObjectClass *klass)
{
    static const char *const names[VKDEV_FAULT_ACTS] = {
        [VKDEV_FAULT_EVENT_SEND] = "event-send",
        [VKDEV_FAULT_IRQ_SPURIOUS] = "irq-spurious",
        [VKDEV_FAULT_CTX_FORGET] = "ctx-forget",
        [VKDEV_FAULT_FW_HANG] = "fw-hang",
        [VKDEV_FAULT_FW_CRASH] = "fw-crash",
        [VKDEV_FAULT_GONE] = "gone",
    };

    for (unsigned i = 0; i < VKDEV_FAULT_ACTS; i++) {
        count_add(klass, names[i], offsetof(VkdevState, faults.acts) +
                                   i * sizeof(uint64_t));
    }
}

void vkdev_fault_class_init(ObjectClass *klass)
{
    static const FaultNumber seed = {
        "fault-seed", offsetof(VkdevState, faults.seed), UINT32_MAX,
        "Restart the random numbers of both directions",
    };
    static const FaultNumber forgetful = {
        "fault-rx-forgetful", offsetof(VkdevState, faults.forgetful), 1,
        "1: remember nothing of what is missing from TLS streams",
    };

    line_add(klass, "tx", offsetof(VkdevState, faults.tx));
    line_add(klass, "rx", offsetof(VkdevState, faults.rx));
    number_add(klass, &seed, seed_set);
    number_add(klass, &forgetful, number_set);
    for (unsigned i = 0; i < ARRAY_SIZE(rules); i++) {
        rule_add(klass, &rules[i]);
    }
    acts_add(klass);
    act_counts_add(klass);
}
