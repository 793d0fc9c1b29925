/* SPDX-License-Identifier: BSD-2-Clause */

/* A certificate for development that is its own authority. */

#ifndef PEAL_TOOLS_SELFSIGNED_H
#define PEAL_TOOLS_SELFSIGNED_H

#include "core/macros.h"

struct reason;

/*
 * Write a fresh EC P-256 key (0600) and a certificate for it (0644), good
 * for 10 years, for localhost, 127.0.0.1, ::1 and listen: an address or a
 * host name, with or without ":PORT", of which 0.0.0.0 and [::] add nothing.
 * Who trusts the certificate as an authority trusts this server, and no
 * other: it can't sign.  -EINVAL with a sentence when listen is neither.
 */
MUST_CHECK int selfsigned_write(const char *cert_path, const char *key_path,
    const char *listen, struct reason *why);

#endif
