/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a service manager and its services say to each other: sd_notify(3)
 * datagrams, passed listening sockets (sd_listen_fds(3)) and the watchdog,
 * by hand.  Without a manager everything here does nothing.
 */

#ifndef PEAL_CORE_NOTIFY_H
#define PEAL_CORE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"

struct reason;

enum {
	NOTIFY_FDS_START = 3,
	NOTIFY_FDS_MAX = 64
};

/*
 * Send one datagram of lines such as "READY=1\nSTATUS=serving" to
 * $NOTIFY_SOCKET.  1: sent, 0: no manager asked for it, below zero: -errno.
 */
int notify_send(const char *fmt, ...) PRINTF(1, 2);

/*
 * Listening sockets that were handed to us ($LISTEN_FDS, $LISTEN_PID): how
 * many, from NOTIFY_FDS_START on, made close-on-exec; 0: none are meant for
 * this process.  -EINVAL with a sentence where the variables or descriptors
 * are not what they should be.
 */
MUST_CHECK int notify_listen_fds(struct reason *why);

/*
 * The name of the nth of them ($LISTEN_FDNAMES, FileDescriptorName= of a
 * systemd.socket(5)): is it that?  false where they have no names.
 */
bool notify_listen_named(unsigned nth, const char *name);

/* Half of $WATCHDOG_USEC: how often to send "WATCHDOG=1"; 0: never. */
uint64_t notify_watchdog_us(void);

#endif
