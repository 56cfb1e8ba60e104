/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Differences between the versions of QEMU from 10.0 on, each found by looking
 * for the thing itself.
 */
#ifndef VKDEV_COMPAT_H
#define VKDEV_COMPAT_H

#include "qom/object.h"

/* 10.1 */
#if __has_include("system/memory.h")
#include "system/memory.h"
#else
#include "exec/memory.h"
#endif

/* 11.0 */
#if __has_include("hw/core/qdev-properties.h")
#include "hw/core/qdev-properties.h"
#else
#include "hw/qdev-properties.h"
#endif

/* Last argument of class_init(): const from 10.1 on. */
typedef typeof(__builtin_choose_expr(
    __builtin_types_compatible_p(typeof(((TypeInfo *)0)->class_init),
                                 void (*)(ObjectClass *, const void *)),
    (const void *)0, (void *)0)) VkdevClassData;

#endif
