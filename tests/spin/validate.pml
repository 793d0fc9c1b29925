/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The ring's order of publication under weak memory: no reader ever uses a
 * word of another event than the one it asked for.  tests/spin/spin.sh checks
 * this exhaustively, and that it fails without any one of the fences.
 *
 * Weak ordering is made explicit, because spin's own memory is sequentially
 * consistent.  The writer's stores gather in a buffer, from which a process of
 * its own takes them in any order (but in order for each word); a release
 * fence and a release store wait until it is empty.  The reader's loads happen
 * in any order that its fences leave open, each reading memory as it is at
 * that moment.  With one writer and one word per load, that is every order in
 * which the reader can see the stores.
 *
 * A slot holds one word of record and one of payload, each being the ordinal
 * that was written; a torn event is one with a foreign word.
 */

#ifndef SLOTS
#define SLOTS 2
#endif
#define LAST  4 /* passes, of one event each */
#define BUF   5

/* Words in memory. */
#define VALID 0
#define TAIL  1
#define RECORD(ord)  (2 + (ord) % SLOTS)
#define PAYLOAD(ord) (2 + SLOTS + (ord) % SLOTS)
#define WORDS (2 + 2 * SLOTS)

byte mem[WORDS];

/* Stores that nobody has seen yet, oldest first. */
byte word[BUF];
byte value[BUF];
byte pending = 0;

#ifdef NO_WRITER_FENCE
#define writer_fence() skip
#else
#define writer_fence() pending == 0
#endif
#ifdef VALID_RELEASE_STORE /* instead of the fence behind it */
#undef writer_fence
#define writer_fence() skip
#define before_valid() pending == 0
#else
#define before_valid() skip
#endif
#ifdef NO_TAIL_RELEASE
#define before_tail() skip
#else
#define before_tail() pending == 0
#endif
#ifdef NO_PASS_FENCE
#define pass_fence() skip
#else
#define pass_fence() pending == 0
#endif

inline store(w, v)
{
	atomic {
		pending < BUF;
		word[pending] = w;
		value[pending] = v;
		pending++
	}
}

/* ring_writer_begin(), _add() and _commit(). */
active proctype writer()
{
	byte ord = 1;

	do
	:: ord <= LAST ->
		before_valid();
		if
		:: ord > SLOTS -> store(VALID, ord - SLOTS + 1)
		:: else
		fi;
		writer_fence();
		store(PAYLOAD(ord), ord);
		store(RECORD(ord), ord);
		before_tail();
		store(TAIL, ord);
		pass_fence();
		ord++
	:: else -> break
	od
}

/* Let store i be seen, unless an older one to the same word waits. */
#define ripe1 (word[1] != word[0])
#define ripe2 (word[2] != word[0] && word[2] != word[1])
#define ripe3 (word[3] != word[0] && word[3] != word[1] && \
    word[3] != word[2])
#define ripe4 (word[4] != word[0] && word[4] != word[1] && \
    word[4] != word[2] && word[4] != word[3])

active proctype memory()
{
	byte i;

end:	do
	:: atomic {
		pending > 0 ->
		if
		:: i = 0
		:: pending > 1 && ripe1 -> i = 1
		:: pending > 2 && ripe2 -> i = 2
		:: pending > 3 && ripe3 -> i = 3
		:: pending > 4 && ripe4 -> i = 4
		fi;
		mem[word[i]] = value[i];
		pending--;
		do
		:: i < pending ->
			word[i] = word[i + 1];
			value[i] = value[i + 1];
			i++
		:: else -> break
		od;
		word[pending] = 0;
		value[pending] = 0;
		i = 0
	}
	od
}

/* What each fence of the reader makes its later loads wait for. */
#ifdef NO_TAIL_ACQUIRE
#define tail_done true
#else
#define tail_done did_tail
#endif
#ifdef VALID_ACQUIRE_LOAD /* instead of the first fence */
#define fence1 true
#define acquired did_valid1
#else
#define acquired true
#ifdef NO_READER_FENCE1
#define fence1 true
#else
#define fence1 did_record
#endif
#endif
#ifdef NO_READER_FENCE2
#define fence2 true
#else
#define fence2 (did_record && did_payload)
#endif

/* reader_collect() and ring_reader_read(), for any ordinal. */
active proctype reader()
{
	byte ord, tail, record, valid1, payload, valid2;
	bool did_tail, did_record, did_valid1, did_payload, did_valid2;

end:	do
	:: atomic {
		select(ord : 1 .. LAST);
		did_tail = false;
		did_record = false;
		did_valid1 = false;
		did_payload = false;
		did_valid2 = false
	};
	do
	:: atomic { !did_tail -> tail = mem[TAIL]; did_tail = true }
	:: atomic { !did_record && tail_done ->
		record = mem[RECORD(ord)]; did_record = true }
	:: atomic { !did_valid1 && tail_done && fence1 ->
		valid1 = mem[VALID]; did_valid1 = true }
	:: atomic { !did_payload && tail_done && fence1 && acquired ->
		payload = mem[PAYLOAD(ord)]; did_payload = true }
	/* Two loads of one word never swap. */
	:: atomic { !did_valid2 && did_valid1 && tail_done && fence2 ->
		valid2 = mem[VALID]; did_valid2 = true }
	:: atomic { did_tail && did_valid2 && did_payload && did_record ->
		break }
	od;
	atomic {
		if
		:: tail < ord /* nothing there yet */
		:: tail >= ord && valid1 > ord /* lapped */
		:: tail >= ord && valid1 <= ord ->
			assert(record == ord);
			if
			:: valid2 > ord /* lapped while copying */
			:: else ->
				assert(payload == ord);
#ifdef REACH
				assert(ord <= SLOTS);
#endif
			fi
		fi;
		tail = 0; record = 0; valid1 = 0; payload = 0; valid2 = 0
	}
	od
}

/*
 * reader_window() and ring_reader_lapped(): an honest writer is never taken for a
 * damaged file, that is, valid is at most one beyond the tail.  Tight where a
 * pass takes the whole ring: SLOTS 1.
 */
active proctype window()
{
	byte valid, tail;
	bool did_valid, did_tail;

end:	do
	:: atomic { did_valid = false; did_tail = false };
	do
	:: atomic { !did_valid -> valid = mem[VALID]; did_valid = true }
#ifdef NO_WINDOW_FENCE
	:: atomic { !did_tail -> tail = mem[TAIL]; did_tail = true }
#else
	:: atomic { !did_tail && did_valid ->
		tail = mem[TAIL]; did_tail = true }
#endif
	:: atomic { did_valid && did_tail -> break }
	od;
	atomic {
		assert(valid <= tail + 1);
		valid = 0;
		tail = 0
	}
	od
}
