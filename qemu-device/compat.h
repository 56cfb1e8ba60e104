/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hide API differences between QEMU 10.0 and later versions. Each difference
 * is detected by probing for the header or the type, never by a version
 * number.
 */
#ifndef VKDEV_COMPAT_H
#define VKDEV_COMPAT_H

#include "qom/object.h"

/* Since QEMU 10.1 the memory headers are in system/. */
#if __has_include("system/memory.h")
#include "system/memory.h"
#else
#include "exec/memory.h"
#endif

/* Since QEMU 11.0 the qdev headers are in hw/core/. */
#if __has_include("hw/core/qdev-properties.h")
#include "hw/core/qdev-properties.h"
#include "hw/core/qdev-properties-system.h"
#else
#include "hw/qdev-properties.h"
#include "hw/qdev-properties-system.h"
#endif

/*
 * Type of the last argument of class_init(), which is const since QEMU 10.1.
 */
typedef typeof(__builtin_choose_expr(
    __builtin_types_compatible_p(typeof(((TypeInfo *)0)->class_init),
                                 void (*)(ObjectClass *, const void *)),
    (const void *)0, (void *)0)) VkdevClassData;

#endif
