/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Somebody who has nothing to do with it: a client that is connected while
 * others misbehave, and has to see nothing of them.  Failing here fails the
 * cmocka test.
 */

#ifndef PEAL_TESTS_LIB_BYSTANDER_H
#define PEAL_TESTS_LIB_BYSTANDER_H

/*
 * After each case: the bystander (who comes with the first call) gets an
 * event that is emitted now, on an unbroken chain and a connection that was
 * never lost; the gateway of $PEAL_GATEWAY, a process id, has not one
 * connection more than before, and its memory is back.  Without that
 * variable nothing is looked at.
 */
void bystander_saw_nothing(void);

#endif
