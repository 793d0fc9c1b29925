/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Parking and waking under weak memory: no reader sleeps on while events are
 * there, and none accuses the writer of a missed wake-up.  tests/spin/spin.sh
 * checks this exhaustively, and that it fails without either fence or check.
 *
 * Each side's stores wait in a buffer of its own before the other side can
 * see them, for as long as they like; a fence waits until it is empty.  System
 * calls (send, recv) act at once.  A reader that waits for ever is an invalid
 * end state.
 */

#define EVENTS 3
#define QUEUE  2 /* packets the doorbell holds; beyond it: EAGAIN */
#ifndef TIMERS
#define TIMERS 1 /* how often the safety net strikes */
#endif

byte tail = 0;
byte parked = 0;
byte bell = 0;
byte rung = 0; /* the ordinal up to which the writer has rung */

bool tail_waits = false; /* the writer's buffer: one store of tail */
byte tail_next;
chan parked_waits = [4] of { byte }; /* the reader's: stores of parked */

active proctype memory()
{
end:	do
	:: atomic { tail_waits -> tail = tail_next; tail_waits = false }
	:: atomic { parked_waits?parked }
	od
}

/* ring_writer_commit() and doorbell_hub_ring(). */
active proctype writer()
{
	byte ord = 1, parking, rung_for = 0;

	do
	:: ord <= EVENTS ->
		/* A second store of tail finds the first one gone. */
		atomic { !tail_waits -> tail_next = ord; tail_waits = true };
#ifndef NO_WRITER_FENCE
		!tail_waits;
#endif
		parking = parked;
		if
		:: parking != 0 && parking != rung_for ->
			rung_for = parking;
			if
			:: bell < QUEUE -> bell++
			:: bell >= QUEUE
			fi
		:: else
		fi;
		rung = ord;
		ord++
	:: else -> break
	od
}

/* Reads all there is, parks, waits, wakes up. */
active proctype reader()
{
	byte seen = 0, parking = 0, timers = TIMERS;
	bool owed, heard;

	do
	:: seen = tail;
		if
		:: seen == EVENTS -> break
		:: else
		fi;
		parking++;
		parked_waits!parking;
#ifndef NO_READER_FENCE
		empty(parked_waits);
#endif
#ifndef NO_RECHECK
		if
		:: tail != seen -> parked_waits!0; goto again
		:: tail == seen
		fi;
#endif
		if
		:: bell > 0
		:: timers > 0 -> timers--
		fi;
#ifdef CLEAR_FIRST
		parked_waits!0;
		owed = (rung > seen);
#else
		owed = (rung > seen);
		parked_waits!0;
#endif
		atomic { heard = (bell > 0); bell = 0 };
		assert(!owed || heard);
#ifdef REACH
		assert(!heard);
#endif
again:		skip
	od
}
